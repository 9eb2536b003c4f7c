// Texts whose contrast with their background is less than WCAG 2.2 AA asks for.
const channels = (color) => {
  const numbers = color.match(/-?[\d.]+(?:e-?\d+)?/g).map(Number);
  const [r, g, b, a = 1] = color.startsWith("color(") ? [...numbers.slice(0, 3).map((n) => n * 255), ...numbers.slice(3)] : numbers;
  return [r, g, b, a];
};
const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);
const background = (element) => {
  if (!element) return [255, 255, 255, 1];
  const own = channels(getComputedStyle(element).backgroundColor);
  return own[3] === 1 ? own : over(own, background(element.parentElement));
};
const luminance = (color) => {
  const [r, g, b] = color.map((n) => n / 255).map((n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const poor = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.textContent.trim() || !element.checkVisibility() || element.closest("noscript, option, .skip")) continue;
  seen += 1;
  const style = getComputedStyle(element);
  const behind = background(element);
  const [one, other] = [luminance(over(channels(style.color), behind)), luminance(behind)];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5) && !element.matches(":disabled, :disabled *")) {
    poor.push(`${ratio.toFixed(2)} ${texts.currentNode.textContent.trim().slice(0, 40)}`);
  }
}
return { seen, poor };
