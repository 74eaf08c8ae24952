const STEPS = 256;
// Lightness and chroma in OKLCH at both ends. The end for 0 is close to the background.
const ENDS = {
  light: { from: [0.955, 0.018], to: [0.36, 0.125] },
  dark: { from: [0.34, 0.03], to: [0.93, 0.075] },
};
const HUE = (250 * Math.PI) / 180;

/** Dashes that distinguish up to eight lines in addition to their colours. */
export const DASHES = [
  "",
  "7 3",
  "2 3",
  "9 3 2 3",
  "12 4",
  "4 2",
  "9 3 2 3 2 3",
  "1 4",
];

/** Returns a perceptually even ramp of one hue: a function from [0, 1] to [r, g, b]. */
export function ramp(theme) {
  const { from, to } = ENDS[theme];
  const table = Array.from({ length: STEPS }, (_, i) => {
    const share = i / (STEPS - 1);
    const lightness = from[0] + share * (to[0] - from[0]);
    return toRgb(lightness, from[1] + share * (to[1] - from[1]));
  });
  return (share) => table[Math.round(Math.min(Math.max(share, 0), 1) * (STEPS - 1))];
}

/** Converts a colour of the ramp to CSS. */
export function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

// Ottosson (2020), "A perceptual color space for image processing".
/** Converts OKLCH to sRGB. */
function toRgb(lightness, chroma) {
  const a = chroma * Math.cos(HUE);
  const b = chroma * Math.sin(HUE);
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short,
  ].map(toByte);
}

function toByte(light) {
  const level = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(Math.max(level, 0), 1));
}
