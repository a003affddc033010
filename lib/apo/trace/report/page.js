// The page around the panels: choices, keys, table.
'use strict';

const fillNavigation = () => {
  const known = key => runs.some(run => AXES[key].at(run, run.final.steps) > 0);
  element('axis').append(...Object.keys(AXES).filter(known).map(key => make('option', {}, key)));
  element('axis').onchange = draw;
  element('batches').firstChild.checked = runs.length <= 3;
  element('batches').onchange = draw;
  element('batches').hidden = !runs.some(run => run.epoch_loss.x.length > 1 && run.loss.x.length);
  if (runs.length === 1) return;
  const keys = runs.map(run => {
    const key = makeKey(run.index, run.label, visible => {
      hidden[visible ? 'delete' : 'add'](run);
      draw();
    });
    key.onpointerenter = event => { if (event.pointerType === 'mouse') emphasize(run); };
    key.onpointerleave = () => emphasize(null);
    key.onfocus = () => { if (key.matches(':focus-visible')) emphasize(run); };
    key.onblur = () => emphasize(null);
    return key;
  });
  const emphasize = run => {
    if (emphasized === run) return;
    emphasized = run;
    draw();
  };
  const all = make('button', { type: 'button' }, 'all / none');
  all.onclick = () => {
    const visible = hidden.size > 0;
    for (const run of runs) hidden[visible ? 'delete' : 'add'](run);
    for (const key of keys) key.ariaPressed = String(visible);
    draw();
  };
  element('keys').append(all, ...keys);
};

const fillTable = () => {
  const percent = value => (value == null ? '–' : `${(100 * value).toFixed(2)} %`);
  const columns = [
    ['status', run => run.status], ['train loss', run => show(run.final.train_loss)], ['best train loss', run => show(run.best.train_loss)],
    ['test loss', run => show(run.final.test_loss)],
    ['test accuracy', run => percent(run.final.test_accuracy)], ['best test accuracy', run => percent(run.best.test_accuracy)],
    ...(runs.some(run => run.final.validation_loss != null) ? [['validation loss', run => show(run.final.validation_loss)], ['best validation loss', run => show(run.best.validation_loss)],
      ['validation accuracy', run => percent(run.final.validation_accuracy)], ['best validation accuracy', run => percent(run.best.validation_accuracy)]] : []),
    ...(runs.some(run => run.final.average_test_accuracy != null) ? [['test accuracy of the average', run => percent(run.final.average_test_accuracy)]] : []),
    ['η', run => show(run.final.learning_rate)], ['epochs', run => show(run.final.epochs)], ['steps', run => show(run.final.steps)],
    ['seconds', run => (run.final.seconds == null ? '–' : run.final.seconds.toFixed(run.final.seconds < 10 ? 1 : 0))],
  ];
  const body = make('tbody', {});
  for (const run of runs) {
    const wrong = run.status === 'finished' ? '' : 'wrong';
    body.append(make('tr', {}, make('th', { scope: 'row' }, ...(runs.length > 1 ? [swatch(run.index), ' '] : []), ...parted(run.label)),
      ...columns.map(([, value], i) => make('td', { className: i ? '' : wrong }, value(run)))));
    for (const line of [run.message, ...run.warnings.map(warning => `warning: ${warning}`)].filter(Boolean)) {
      body.append(make('tr', {}, make('td', { className: 'message', colSpan: columns.length + 1 }, make('span', {}, line))));
    }
  }
  element('numbers').append(make('thead', {}, make('tr', {}, ...['run', ...columns.map(([name]) => name)].map(name => make('th', { scope: 'col' }, name)))), body);
};

/** What sets the runs apart as a table; what they share on demand. */
const fillSettings = () => {
  const keys = [...new Set(runs.flatMap(run => Object.keys(run.settings)))];
  const head = names => make('thead', {}, make('tr', {}, ...names.map(name => make('th', { scope: 'col' }, ...parted(name)))));
  element('apart').hidden = !keys.length;
  element('differences').append(head(['run', ...keys]), make('tbody', {}, ...runs.map(run => make('tr', {},
    make('th', { scope: 'row' }, swatch(run.index), ' ', ...parted(run.label)), ...keys.map(key => make('td', {}, run.settings[key] ?? '–'))))));
  const shared = Object.entries(settings);
  element('settings').hidden = !shared.length;
  element('settings').firstElementChild.textContent = runs.length === 1 ? 'All settings' : 'Settings that all runs share';
  element('shared').append(make('tbody', {}, ...shared.map(([key, value]) => make('tr', {}, make('th', { scope: 'row' }, ...parted(key)), make('td', {}, value)))));
};

const fillPage = () => {
  const counts = {};
  for (const run of runs) counts[run.status] = (counts[run.status] ?? 0) + 1;
  element('about').textContent = runs.length === 1
    ? [runs[0].status, runs[0].message].filter(Boolean).join(': ')
    : `${runs.length} runs: ${Object.entries(counts).map(([status, count]) => `${count} ${status}`).join(', ')}`;
  fillNavigation();
  fillTable();
  fillSettings();
  for (const panel of panels.filter(panel => !runs.some(run => panel.curves(run).length))) panels.splice(panels.indexOf(panel), 1);
  for (const panel of panels) {
    panel.canvas = make('canvas', { role: 'img', ariaLabel: `${panel.title} of the runs; the final numbers are in the table below` });
    if (panel.select) panel.select.onchange = draw;
    panel.note = make('span', { className: 'note' });
    const keys = (panel.layers ?? []).map((layer, index) => makeKey(index, layer, visible => {
      panel.off[visible ? 'delete' : 'add'](layer);
      draw();
    }));
    element('panels').append(make('div', { className: 'panel' },
      make('h2', {}, panel.title, panel.note, ...(panel.select ? [panel.select] : [])),
      ...(keys.length ? [make('div', { className: 'keys' }, ...keys)] : []),
      make('div', { className: 'plot' }, panel.canvas)));
  }
  element('thinned').textContent = `A curve has at most ${most} points here: of a longer one the first, the last, the smallest and the `
    + 'largest value, and those of many stretches between. Every value is in the trace.json of its run.';
  matchMedia('(prefers-color-scheme: dark)').onchange = draw;
  draw();
};

fillPage();
