"""What a Gaussian gives besides its mean."""
