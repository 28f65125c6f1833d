"""The maker of the pocket model: its world, its prose, its samples and its pretraining."""
