"""Reading and writing photos, and fields lifted to their size."""
