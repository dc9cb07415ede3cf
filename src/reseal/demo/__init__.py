"""A small site of reseal's own, for seeing the main job in a minute."""
