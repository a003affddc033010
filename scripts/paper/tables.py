"""Tables in Markdown and the numbers in them."""

import statistics


def table(head, rows):
    lines = ["|" + "".join(f" {name} |" if name else " |" for name in head), "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def number(value, least=".2g"):
    """Four decimals, or `least` where they would not do; – where there is none."""
    if value is None:
        return "–"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1000 else format(value, least)


def spread(values, shown):
    """The median, and from the least to the most of values that differ."""
    values = sorted(value for value in values if value is not None)
    if not values:
        return "–"
    text = shown(statistics.median(values))
    return f"{text} ({shown(values[0])} to {shown(values[-1])})" if values[0] != values[-1] else text


def compare(runs, folders):
    """How runs ended, a line for each, in columns for the terminal."""
    metrics = [(split, metric) for split in ("train", "test") for metric in ("loss", "accuracy")]
    width = max(map(len, folders))
    lines = [f"{'run':<{width}}  {'status':<12}" + "".join(f"{name:>16}" for name in (*map(" ".join, metrics), "learning rate"))]
    for folder in folders:
        summary = runs.summary(folder) if (runs.folder / folder / "summary.json").exists() else {"status": "no summary"}
        final = summary.get("final", {})
        cells = [*((final.get(split) or {}).get(metric) for split, metric in metrics), summary.get("learning_rate")]
        lines.append(f"{folder:<{width}}  {summary['status']:<12}" + "".join(f"{'-' if c is None else format(c, '.5g'):>16}" for c in cells))
    return "\n".join(lines)
