"""The tab "Dropout" of TensorBoard, and the same page as one file.

This is a separate package because TensorBoard imports it. Importing a module of
`kdropout` would load Keras and its backend.
"""
