"""Five ways to decide a dropout rate, on digits with wrong labels.

The same as `kdropout demo`. Needs: pip install "kdropout[demo]"
"""

from kdropout.demo import run

if __name__ == "__main__":
    run(output="kdropout-demo")
