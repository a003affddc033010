// What there is to draw: axes and panels. A curve is {x: steps, y: values}; a null value is a gap.
'use strict';

// A run's clock tells epochs and seconds at some of its steps; between them it runs evenly.
const AXES = {
  steps: { title: 'steps', at: (run, step) => step },
  epochs: { title: 'epochs', at: (run, step) => along(run.clock.step, run.clock.epoch, step) },
  seconds: { title: 'seconds of training', at: (run, step) => along(run.clock.step, run.clock.seconds, step) },
};
const along = (from, to, value) => {
  if (from.length < 2) return NaN;
  let i = 1;
  while (i < from.length - 1 && from[i] < value) ++i;
  if (to[i] == null) return NaN;  // before its first whole epoch nobody knows how long one is
  return to[i - 1] + (to[i] - to[i - 1]) * (value - from[i - 1]) / (from[i] - from[i - 1]);
};

// The panels. `curves` gives [{curve, label, index (of its look), kind (of KINDS)}] for a run.
const line = (curve, run, rest = {}) => (curve && curve.x.length ? [{ curve, label: run.label, index: run.index, ...rest }] : []);
runs.forEach((run, index) => { run.index = index; });

/** What a curve of the same run is told apart by: its look, and the words for it beside the panel's title. */
const KINDS = {
  batch: { note: 'pale: single batches', faint: true },
  validation: { note: 'dotted: validation set', dash: [2, 2] },
  average: { note: 'dashes and dots: averaged weights', dash: [7, 2, 1, 2] },
};

/** Of the validation set, where a run has one. */
const validation = (curve, run) => line(curve, run, { kind: 'validation', label: `${run.label}, validation` });
/** Of the averaged weights, where a run has them. */
const average = (curve, run) => line(curve, run, { kind: 'average', label: `${run.label}, average` });

const lossOf = run => {
  const means = run.epoch_loss.x.length > 1;
  const batches = !means || element('batches').firstChild.checked;
  return [
    ...(batches ? line(run.loss, run, means ? { kind: 'batch', label: `${run.label}, batch` } : {}) : []),
    ...(means ? line(run.epoch_loss, run) : []),
    ...average(run.average_train_loss, run),
  ];
};
const panels = [
  { title: 'Training loss', log: true, curves: lossOf },
  { title: 'Test loss', log: 'if wide', curves: run => [...line(run.test_loss, run), ...validation(run.validation_loss, run), ...average(run.average_test_loss, run)] },
  { title: 'Test accuracy, %', curves: run => [...line(run.test_accuracy, run), ...validation(run.validation_accuracy, run), ...average(run.average_test_accuracy, run)] },
  { title: 'Learning rate η', log: true, curves: run => line(run.learning_rate, run) },
];

const SYMBOLS = { learning_rate: 'Learning rate η', power: 'Power ρ', epsilon: 'Epsilon ε', damping: 'Damping' };
const tuned = [...new Set(runs.flatMap(run => Object.keys(run.hyperparameters)))];
for (const name of new Set(tuned.map(name => name.split('/')[0]))) {
  const title = SYMBOLS[name] ?? name;
  const layers = tuned.filter(other => other.startsWith(`${name}/`)).map(other => other.slice(name.length + 1));
  const log = name === 'learning_rate' || 'if wide';
  if (tuned.includes(name) && name !== 'learning_rate') {
    panels.push({ title, log, curves: run => line(run.hyperparameters[name], run) });
  }
  if (layers.length && runs.length === 1) {  // its layers side by side
    const off = new Set();
    panels.push({ title: `${title} of each layer`, log, layers, off, curves: run => layers.flatMap((label, index) =>
      (off.has(label) ? [] : line(run.hyperparameters[`${name}/${label}`], run, { label, index }))) });
  } else if (layers.length) {  // its runs side by side, one layer at a time
    const select = make('select', { ariaLabel: 'layer' }, ...layers.map(layer => make('option', {}, layer)));
    panels.push({ title: `${title} of layer`, log, select, curves: run =>
      line(run.hyperparameters[`${name}/${select.value}`], run) });
  }
}
