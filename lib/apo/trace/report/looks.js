// The data of the page, and how things look.
'use strict';

const { runs, most, settings } = JSON.parse(document.getElementById('data').textContent);
const hidden = new Set();
let emphasized = null;

const element = id => document.getElementById(id);
/** make('p', {className: 'x'}, 'text', child, …) */
const make = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

/** Four digits: 0.01234, 1.234e-7. */
const show = value => {
  if (value == null || Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e6)) return String(Number(value.toPrecision(4)));
  return value.toExponential(3).replace(/\.?0+e/, 'e').replace('e+', 'e');
};

// Looks: eight colours, then the same with dashes.
const DASHES = [[], [6, 3], [2, 3], [10, 3, 2, 3], [14, 4]];
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const look = index => ({ colour: `--run-${index % 8}`, dash: DASHES[Math.floor(index / 8) % DASHES.length] });

const swatch = index => {
  const { colour, dash } = look(index);
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'swatch');
  svg.setAttribute('viewBox', '0 0 32 12');
  const line = document.createElementNS(svg.namespaceURI, 'path');
  line.setAttribute('d', 'M0 6H32');
  line.setAttribute('style', `stroke: var(${colour}); stroke-width: 4; stroke-dasharray: ${dash.join(' ')}`);
  svg.append(line);
  return svg;
};

/** A label that may break where it is made of parts: optimizer.|name=adam,|seed=0. */
const parted = label => label.split(/(?<=[,._/])/).flatMap((part, i) => (i ? [make('wbr', {}), part] : [part]));

/** A button that switches curves on and off. */
const makeKey = (index, label, toggled) => {
  const key = make('button', { type: 'button', ariaPressed: 'true' }, swatch(index), make('span', {}, ...parted(label)));
  key.onclick = () => {
    key.ariaPressed = String(key.ariaPressed === 'false');
    toggled(key.ariaPressed === 'true');
  };
  return key;
};
