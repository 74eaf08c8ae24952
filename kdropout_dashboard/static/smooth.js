/**
 * Returns an exponential moving average of the values, like that of TensorBoard's tab
 * Scalars. It corrects for the first values, and keeps missing values.
 */
export function smoothed(values, weight) {
  if (!weight) return values;
  let [average, sum] = [0, 0];
  return values.map((value) => {
    if ((value ?? null) === null) return null;
    average = weight * average + (1 - weight) * value;
    sum = weight * sum + (1 - weight);
    return average / sum;
  });
}
