// Drawing the panels. Chart.js brings axes, curves and tooltips; `draw` sets it up anew after every change.
'use strict';

const datasets = panel => runs.filter(run => !hidden.has(run)).flatMap(run => {
  const at = AXES[element('axis').value].at;
  return panel.curves(run).map(({ curve, label, index, kind }) => {
    const { colour: name, dash: own } = look(index);
    const { faint = false, dash = own } = KINDS[kind] ?? {};
    const other = emphasized && emphasized !== run;
    return {
      label,
      run,
      kind,
      data: curve.x.map((x, i) => ({ x: at(run, x), y: curve.y[i] ?? NaN })).filter(point => Number.isFinite(point.x)),
      borderColor: colour(name) + (faint || other ? '60' : ''),
      backgroundColor: colour(name),
      borderDash: dash,
      borderWidth: faint ? 1 : emphasized === run ? 3.5 : 2,
      pointRadius: curve.x.length === 1 ? 3 : 0,
      order: faint || other ? 1 : 0,
      clip: { left: 4, right: 4, top: 2, bottom: 4 },
    };
  });
});

/** The least value above `floor` and the largest. */
const extent = (sets, floor = -Infinity) => {
  let least = Infinity, most = -Infinity;
  for (const { data } of sets) {
    for (const { y } of data) {
      if (y > floor && y < least) least = y;
      if (y > most) most = y;
    }
  }
  return [least, most];
};

/** On a narrow range a logarithmic axis would have hardly a number. */
const isLog = (panel, sets) => {
  if (!panel.log) return false;
  const [least, most] = extent(sets, 0);
  return panel.log === 'if wide' ? extent(sets)[0] > 0 && most > 10 * least : most > 3 * least;
};

/** The next of …, 0.5, 1, 2, 5, 10, … at or below a value; the next at or above it. */
const below = value => {
  const power = 10 ** Math.floor(Math.log10(value));
  return [5, 2, 1].find(first => first * power <= value * (1 + 1e-9)) * power;
};
const above = value => {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find(first => first * power >= value * (1 - 1e-9)) * power;
};

/** Where some runs diverged, the others' curves decide what is seen. */
const ceiling = sets => {
  const [, most] = extent(sets.filter(set => set.run.status !== 'diverged'));
  return most > 0 && extent(sets)[1] > 100 * most ? 100 * most : undefined;
};

const logTick = (value, index, ticks) => {
  const decades = Math.log10(ticks[ticks.length - 1].value / ticks[0].value);
  const first = Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9) * 100) / 100;
  const wanted = decades > 3 ? first === 1 : decades > 0.8 ? [1, 2, 5].includes(first) : true;
  return wanted ? show(Number(value.toPrecision(2))) : null;
};

/** The nearest point of every curve, at most eight: those nearest to the pointer. */
Chart.Interaction.modes.curves = (chart, event) => {
  const pointer = Chart.helpers.getRelativePosition(event, chart);
  const x = chart.scales.x.getValueForPixel(pointer.x);
  return chart.getSortedVisibleDatasetMetas().flatMap(({ index: datasetIndex, data }) => {
    const points = chart.data.datasets[datasetIndex].data;
    let low = 0, high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle].x < x) low = middle; else high = middle;
    }
    const index = points[high] && x - points[low].x > points[high].x - x ? high : low;
    const inside = points[index] && Math.abs(data[index].x - pointer.x) < 40;
    return inside && Number.isFinite(points[index].y) ? [{ element: data[index], datasetIndex, index }] : [];
  }).sort((a, b) => Math.abs(a.element.y - pointer.y) - Math.abs(b.element.y - pointer.y)).slice(0, 8);
};

const options = (log, sets) => {
  const ink = colour('--pale'), grid = { color: colour('--line') }, { title: axis, at } = AXES[element('axis').value];
  const end = Math.max(...runs.filter(run => !hidden.has(run)).map(run => at(run, run.final.steps)).filter(x => x > 0));
  const [least, most] = extent(sets, 0);
  return {
    animation: false, parsing: false, maintainAspectRatio: false,
    interaction: { mode: 'curves', intersect: false },
    scales: {
      x: { type: 'linear', min: 0, max: Number.isFinite(end) ? end : 1, title: { display: true, text: axis, color: ink }, grid, ticks: { color: ink, maxRotation: 0, includeBounds: false } },
      y: { type: log ? 'logarithmic' : 'linear', ...(log ? { min: below(least), max: ceiling(sets) ?? above(most) } : {}), grid, ticks: { color: ink, callback: log ? logTick : value => show(value) } },
    },
    plugins: {
      legend: { display: false },
      tooltip: {
        boxWidth: 9, boxHeight: 9, boxPadding: 3, caretPadding: 8, backgroundColor: '#1b1f23d0',
        itemSort: (a, b) => b.parsed.y - a.parsed.y,
        callbacks: {
          title: items => (items.length ? `${show(items[0].parsed.x)} ${axis}` : ''),
          label: item => ` ${item.dataset.label}: ${show(item.parsed.y)}`,
        },
      },
    },
  };
};

const draw = () => {
  for (const panel of panels) {
    const sets = datasets(panel), log = isLog(panel, sets);
    // On a logarithmic axis what is not positive is a gap.
    if (log) for (const point of sets.flatMap(set => set.data)) if (!(point.y > 0)) point.y = NaN;
    panel.chart ??= new Chart(panel.canvas, { type: 'line', data: {}, options: {} });
    panel.chart.data = { datasets: sets };
    panel.chart.options = options(log, sets);
    panel.note.textContent = [...new Set(sets.map(set => KINDS[set.kind]?.note).filter(Boolean))].join('; ');
    panel.chart.update('none');
  }
};
