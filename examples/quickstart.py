"""Five ways to set a dropout rate, on digits with wrong labels: `kdropout demo`.

The test errors are about 15 % without dropout, 8 % with a learned rate, and 6 % with a
fixed, a scheduled and a controlled rate, which these data do not separate.

    python examples/quickstart.py

It takes about 3 minutes on two CPU cores with TensorFlow, prints the test errors, and
writes a picture, a table and logs for TensorBoard into the folder `kdropout-demo`.

On other machines and backends, the same seeds give other numbers. In a clone, the
example needs: pip install ".[demo]"
"""

from kdropout.demo import run

if __name__ == "__main__":
    run(output="kdropout-demo")
