"""Every field that a run has, with the paper's values; the other configs change some of them.

Where the paper is silent, BUILD_NOTES.md says what was chosen and why.
"""

from ml_collections import ConfigDict

DATA = {
    "lfw": ("lfw_deepfunneled", 1.0),
    "church": ("lsun_church", 0.8),
    "tiny_imagenet": ("tiny_imagenet", 1.0),
    "imagenet_val": ("imagenet_val", 0.8),
}
"""The papers' data sets as arguments of configs: prepared name, and the smallest crop as a share of the short side."""


def with_data(name: str) -> ConfigDict:
    """The paper's model on a data set of `DATA`, unlocked, for a config that builds on it."""
    config = get_config().unlock()
    dataset, crop = DATA[name]
    config.data.mixture = ((dataset, "train", 1.0),)
    config.data.test = (dataset, "test")
    config.data.crop = crop
    return config


def get_config() -> ConfigDict:
    """The paper's model at full width on LFW."""
    config = ConfigDict()
    config.method = "scc"  # a file of colorize_jax/methods, or a dotted module path
    config.seed = 0
    config.width = 1.0  # of every network; 1 is the paper's size
    config.init_from = ""  # folder of another training run, whose newest networks this one begins with
    config.compute_dtype = "float32"  # or 'bfloat16'; the G-CRF, the code and the losses stay float32

    config.data = ConfigDict()
    config.data.dir = "data"  # where colorize-data prepared the data sets
    config.data.mixture = (("lfw_deepfunneled", "train", 1.0),)  # (name, split, share of the images)
    config.data.test = ("lfw_deepfunneled", "test")
    config.data.image_size = 64
    config.data.lightness_large = 0  # side of a second, larger gray image; VGG-16 needs 224
    config.data.ab_large = False  # whether it keeps its colours, as stage 'correct' needs
    config.data.crop = 1.0  # smallest random square crop, as a share of the short side; 1 is centred
    config.data.crop_largest = 1.0  # largest one; above 1 the photo is mirrored at its borders
    config.data.stretch = 1.0  # largest ratio of a crop's sides; every crop is squashed to a square
    config.data.flip = True
    config.data.epoch_images = 0  # images of one epoch; 0 is the size of the mixture's first data set
    config.data.threads = 2

    config.model = ConfigDict()
    config.model.latent = 64
    config.model.field = 32  # side of the colour field; 64 for vae_mdn, vae_mdn_skip and cvae
    config.model.dropout = 0.0

    config.features = ConfigDict()
    config.features.network = "small"  # or 'vgg16'
    config.features.width = 0.0  # 0 is config.width

    config.gcrf = ConfigDict()
    config.gcrf.temperature = 0.0  # at the start of training; 0 is the square root of the embedding's size
    config.gcrf.exclude_diagonal = True
    config.gcrf.beta_train = 1.0
    config.gcrf.beta_test = 5.0
    config.gcrf.floor = 1e-3  # weight of gray on every pixel

    config.mdn = ConfigDict()
    config.mdn.components = 8
    config.mdn.sigma = 0.1
    config.mdn.width = 0.0  # 0 is config.width
    config.mdn.relaxation = 0.05
    config.mdn.code = "mean"  # what it learns to predict: q's mean, or as in the paper a 'sample' of q
    config.mdn.chroma = 1.0  # scc multiplies sampled colours by it
    # What rule 'modes' takes, of scc: the modes of largest 'weight', as the paper; or those that 'cover' the colours.
    config.mdn.choice = "weight"

    config.modes = ConfigDict()  # of scc: mixture and decoder learn from the best of the decoded means
    config.modes.learned = False
    config.modes.scale = 0.01  # an error of so much, network units, is one nat beside the mixture's weights
    config.modes.chroma_power = 0.0  # a photo counts by its mean chroma to this power

    config.loss = ConfigDict()  # of scc
    config.loss.reconstruction = "absolute"  # or 'squared'
    # Positive: the structure stage maximises the G-CRF's likelihood with this σ², network units²; 0: as the paper.
    config.loss.likelihood_noise = 0.0
    config.loss.unary_weight = 0.0  # of the unary's own error in the structure stage
    config.loss.kl_weight = 1e-3  # per nat, beside a mean error per pixel and channel in network units

    # Decoder losses of vae_mdn, vae_mdn_skip and cvae: weights beside each other, of sums over the field.
    config.field_loss = ConfigDict()
    config.field_loss.l2 = 0.0
    config.field_loss.hist = 1.0  # colourfulness
    config.field_loss.mah = 0.1  # specificity
    config.field_loss.grad = 1e-3
    config.field_loss.kl = 1e-2  # per nat
    config.field_loss.components = 20  # principal components of the training set's colour fields
    config.field_loss.bins = "gamut"  # 313 of 10 units, or 'grid': 64x64
    config.field_loss.bin_uniform = 0.5  # share of the uniform distribution in a bin's probability
    config.field_loss.bin_cap = 30.0  # largest weight of a bin, where the mean pixel's is 1
    config.field_loss.images = 10000  # training images that components and bins are estimated on

    config.spread = ConfigDict()  # of scc: an S of its own for edits, on the frozen features
    config.spread.learned = False
    config.spread.width = 64  # of the learned vectors
    config.spread.hidden = 192
    config.spread.fine = False  # one more solve, on a field of twice the side
    config.spread.fine_width = 24
    config.spread.fine_hidden = 64
    config.spread.correct = 0  # channels of the network that corrects the fine field; 0: none
    config.spread.correct_side = 112  # of its cells; its answer has twice as many pixels
    config.spread.draws = 4  # times that a photo is revealed in a step of stage 'correct'
    config.spread.together = False  # the stage 'correct' trains both S for edits, too, through the solves
    config.spread.turn = 0.0  # share of these whose colours are turned about gray

    config.cvae = ConfigDict()
    config.cvae.draws = 256  # codes that are decoded and clustered
    config.cvae.iterations = 20  # of k-means

    config.optim = ConfigDict()
    config.optim.b1 = 0.9
    config.optim.b2 = 0.99
    config.optim.weight_decay = 1e-4
    config.optim.clip_norm = 1.0
    config.optim.warmup_steps = 200
    config.optim.calibration_batches = (
        64  # over which a stage measures BatchNorm's statistics at its end; 0: none
    )

    config.optim.accumulate = 1  # parts of a batch taken one after another; BatchNorm sees a part at a time
    config.optim.remat = False  # keep products and solves for the backward pass and compute the rest again

    # Devices along each axis of the mesh, see train/parallel.py; data 0 takes those that the others leave.
    config.mesh = ConfigDict({"data": 0, "fsdp": 1, "pixel": 1})

    # Scales the epochs of all stages of a method by one factor, up or down, so that together they take no more than
    # these and every method costs the same; 0 leaves the epochs below as they are. See methods/budget.py.
    config.budget = ConfigDict({"steps": 0, "images": 0})  # optimiser steps, images seen

    # A method trains those that it has, in its own order; 0 epochs keep what a stage's networks are in `init_from`.
    config.stages = ConfigDict()
    config.stages.features = ConfigDict({"epochs": 15.0, "batch_size": 32, "lr": 1e-3})
    config.stages.unary = ConfigDict({"epochs": 15.0, "batch_size": 32, "lr": 1e-3})
    config.stages.structure = ConfigDict({"epochs": 15.0, "batch_size": 32, "lr": 1e-3})
    config.stages.vae = ConfigDict({"epochs": 10.0, "batch_size": 32, "lr": 1e-3})
    config.stages.mdn = ConfigDict({"epochs": 7.0, "batch_size": 32, "lr": 1e-3})
    # A stage may have calibration_batches of its own, instead of optim's. Those measure the networks of all stages
    # anew, also of stages of no epochs; a run that goes on with this stage alone must leave these as they are.
    config.stages.modes = ConfigDict({"epochs": 3.0, "batch_size": 32, "lr": 5e-4, "calibration_batches": 64})
    config.stages.spread_coarse = ConfigDict({"epochs": 3.0, "batch_size": 32, "lr": 1e-3})
    config.stages.spread = ConfigDict({"epochs": 1.0, "batch_size": 16, "lr": 5e-4})
    config.stages.spread_fine = ConfigDict({"epochs": 0.2, "batch_size": 8, "lr": 2e-3})
    config.stages.correct = ConfigDict({"epochs": 1.0, "batch_size": 4, "lr": 1e-3})
    # (first epoch, share of the unary that the mask H keeps)
    config.stages.structure.schedule = (
        (0.0, 1.0), (2.0, 0.75), (4.0, 0.5), (6.0, 0.25), (8.0, 0.1),
    )  # fmt: skip

    config.checkpoint = ConfigDict({"every_steps": 200, "keep": 2})
    # Beside the last, a stage keeps the variables for which the first of these that it evaluates was lowest; (): none.
    config.checkpoint.best = ("best_absolute_error", "absolute_error", "absolute_error_kept_1")
    config.log = ConfigDict({"every_steps": 20, "eval_images": 256, "eval_every_epochs": 1.0})
    return config.lock()
