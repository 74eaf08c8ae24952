"""The tab "Dropout" of TensorBoard, and the same page as one file.

It is a separate package, because TensorBoard imports it, and importing any module of
`kdropout` would load Keras and its backend.
"""
