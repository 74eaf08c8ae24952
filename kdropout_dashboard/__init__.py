"""The tab "Dropout" of TensorBoard, and the same page as one file.

A package of its own, because TensorBoard imports it and needs neither Keras nor one of
its backends, which importing anything of `kdropout` would load.
"""
