"""Monte-Carlo dropout shows a higher uncertainty for digits that the network never saw.

A network learns the digits 0 to 6, and then gets images of 7, 8 and 9 as well. The
entropy of its mean prediction is 0.1 nats for new images of known digits, and 0.8 to
0.9 nats for the others. It separates the two with an AUROC of 0.97 to 0.98. The test
error on known digits is about 1 %. The example draws kdropout-demo/uncertainty.png.

    python examples/05_uncertainty.py

With TensorFlow and seed 0, it takes about 10 seconds on two CPU cores and prints:

    digits   entropy  mutual information  (nats)
    known       0.07                0.03
    unknown     0.80                0.28
    AUROC of the entropy, unknown against known digits: 0.973
    Test error on known digits: 0.6%

On other machines and backends, the same seed gives other numbers. In a clone, the
example needs: pip install ".[demo]"
"""

import pathlib

import keras
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import kdropout

SEED = 0  # of the split, the initial weights and the masks
NUM_KNOWN = 7  # classes to learn; the network never sees the other three
RATE = 0.5  # the usual rate for a wide dense layer
EPOCHS = 40
SAMPLES = 100  # networks to average, which divides the standard error by ten
OUTPUT = pathlib.Path("kdropout-demo/uncertainty.png")
STYLES = {"known": ("#0072B2", "-"), "unknown": ("#D55E00", "--")}
SHOWN = 4  # images of each kind in the picture

keras.utils.set_random_seed(SEED)
images, labels = load_digits(return_X_y=True)
images, is_known = images / 16.0, labels < NUM_KNOWN
x_train, x_test, y_train, y_test = train_test_split(
    images[is_known], labels[is_known], test_size=0.4, random_state=SEED
)
model = keras.Sequential([keras.Input((64,))])
for _ in range(2):
    model.add(keras.layers.Dense(256, activation="relu"))
    model.add(kdropout.layers.Dropout(RATE))
model.add(keras.layers.Dense(NUM_KNOWN, activation="softmax"))
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x_train, y_train, epochs=EPOCHS, verbose=0)

data = {"known": x_test, "unknown": images[~is_known]}
answers = {
    name: kdropout.mc_predict(model, x, num_samples=SAMPLES, seed=SEED, verbose=0)
    for name, x in data.items()
}
print("digits   entropy  mutual information  (nats)")
for name, answer in answers.items():
    entropy, information = answer.entropy.mean(), answer.mutual_information.mean()
    print(f"{name:<7}  {entropy:7.2f}  {information:18.2f}")
entropy = np.concatenate([answer.entropy for answer in answers.values()])
auroc = roc_auc_score(np.arange(len(entropy)) >= len(x_test), entropy)
error = np.mean(answers["known"].mean.argmax(axis=-1) != y_test)
print(f"AUROC of the entropy, unknown against known digits: {auroc:.3f}")
print(f"Test error on known digits: {error:.1%}")

figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subfigures(1, 2, wspace=0.05)
axis = left.subplots()
for name, answer in answers.items():
    color, dashes = STYLES[name]
    above = 1 - np.arange(len(answer.entropy)) / len(answer.entropy)
    axis.step(np.sort(answer.entropy), above, dashes, color=color, label=name)
axis.set_title("Unknown digits have the larger entropy")
axis.set(xlabel="entropy $h$ (nats)", ylabel="share of images above $h$", xlim=0)
axis.legend(title="digits", frameon=False)
axis.spines[["top", "right"]].set_visible(False)
right.suptitle("The first images of each kind, and their entropy")
for axes, (name, x) in zip(right.subplots(2, SHOWN), data.items(), strict=True):
    for axis, image, entropy in zip(axes, x, answers[name].entropy, strict=False):
        axis.imshow(image.reshape(8, 8), cmap="gray_r")
        axis.set_title(f"{entropy:.2f}", color=STYLES[name][0])
        axis.set(xticks=[], yticks=[])
    axes[0].set_ylabel(name)
OUTPUT.parent.mkdir(exist_ok=True)
FigureCanvasAgg(figure).print_png(str(OUTPUT))
