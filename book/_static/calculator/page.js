/* The calculator's page: controls, curves, table, sentences, link. Formulas: formulas.js. */
(function (root) {
"use strict";

const { formulas, sizes } = root.fragileLearning;
const { abs, ceil, floor, log, log10, max, min, round } = Math;

// --- numbers as text ---

const power = (x) => String(x).replace(/./g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);

function scientific(text, times) {
  const [factor, exponent] = text.split("e").map(Number);
  return (factor === 1 ? "" : factor + times) + `10${power(exponent)}`;
}
/** Three digits: 12,300, 0.00456, 7.89 × 10⁻¹². */
function show(x) {
  if (x === Infinity) return "∞";
  if (x === 0) return "0";
  const exponent = floor(log10(abs(x)));
  if (exponent > -5 && exponent < 9) {
    return Number(x.toPrecision(3)).toLocaleString("en-US", { maximumSignificantDigits: 3 });
  }
  return scientific(x.toExponential(2), " × ");
}
/** A count that the reader has set: all of its digits. */
const exact = (x) =>
  x < 1e9 ? x.toLocaleString("en-US", { maximumSignificantDigits: 15 }) : show(x);
const percent = (x) => `${show(100 * x)}\u202f%`;
const plural = (n, word, text = exact) => `${text(n)} ${word}${n === 1 ? "" : "s"}`;

// --- what can be set ---

// With a `step` a slider is linear, without one logarithmic.
const real = (key, name, label, unit, min, max, value, more = {}) => ({
  key, name, label, unit, min, max, value, ...more,
});
const whole = (...all) => ({ ...real(...all), whole: true });
const spectrum = (d, beta, r) => [
  whole("n_features", "d", "Features d", "features", 2, 10000, d),
  real("exponent", "beta", "Spectrum exponent β (0: white features)", "", 0.5, 4, beta, {
    step: 0.05, zero: "0, white features",
  }),
  real("source_exponent", "r", "Source exponent r (smoothness)", "", 0.05, 1.5, r, { step: 0.025 }),
];
const ridge = (value, zero = "0, no ridge") =>
  real("ridge", "ridge", "Ridge λ", "", 1e-8, 10, value, { zero });
const noise = (key, name, label, value) =>
  real(key, name, `${label} (standard deviation)`, "", 0.01, 10, value, { zero: "0, no noise" });
const share = (key, name, label, min, value, zero) =>
  real(key, name, label, "", min, 1, value, { zero });
const rate = (key, name, label, min, value) =>
  real(key, name, label, "", min, 1, value, { step: 0.01 });

const regression = {
  title: "Iterated regression",
  href: "../collapse/iterated_regression.html",
  axis: { key: "n_samples", label: "samples of the student, T", from: 10, to: 1e8 },
  y: { label: "excess error" },
  controls: [
    ...spectrum(300, 0, 0.375),
    whole("n_generations", "n", "Generations n", "generations", 0, 50, 5, { step: 1 }),
    whole("n_generator_samples", "T0", "Samples of a generator T₀", "samples", 2, 100000, 600),
    noise("generator_noise_std", "sigma0", "Noise of the generators' labels σ₀", 0.2),
    whole("n_samples", "T", "Samples of the student T", "samples", 10, 1e8, 1000),
    ridge(0.001),
    noise("noise_std", "sigma", "Noise of the student's labels σ", 0.1),
  ],
  curves: [
    { key: "risk", label: "generated", name: "generated labels" },
    { key: "clean_risk", label: "clean", name: "clean labels" },
    { key: "best_risk", label: "best ridge", name: "generated labels, best ridge" },
  ],
  mark: (a) => ({ x: a.settling_samples, label: "settles" }),
  say(s, a) {
    const n = s.n_generations;
    const said = [];
    const size = plural(s.n_samples, "sample");
    const start = `a student with ${size} has the excess error ${show(a.risk)}`;
    said.push(
      n === 0
        ? `On clean labels ${start}.`
        : `After ${plural(n, "generation")} of ${plural(s.n_generator_samples, "sample")} each, ` +
            `${start}; on clean labels it would have ${show(a.clean_risk)}.`,
    );
    if (a.risk === Infinity) {
      said.push("It is infinite where a fit without ridge has as many samples as features.");
    } else if (a.risk > a.signal) {
      said.push(`That is worse than predicting zero, which has ${show(a.signal)}.`);
    }
    if (a.settling_samples < Infinity) {
      said.push(
        `From about ${plural(a.settling_samples, "sample", show)} on, more of these labels change ` +
          `nothing: the error stays within 10\u202f% of ${show(a.limit_risk)}.`,
      );
    } else if (a.limit_risk === 0) {
      said.push("From as many samples as features on the error is 0.");
    } else if (a.limit_risk < 1e-6 * a.signal) {
      said.push("More samples lower the error without end.");
    } else if (a.limit_risk < Infinity) {
      said.push("The error still changes at 10¹⁴ samples.");
    }
    if (a.best_ridge === Infinity) said.push("No ridge makes it better than predicting zero.");
    else if (a.best_ridge === 0) said.push(`With ${size} it is best to have no ridge at all.`);
    else {
      said.push(
        `The best ridge for ${size} is ${show(a.best_ridge)}, with the error ` +
          `${show(a.best_risk)}.`,
      );
    }
    return said;
  },
};

const strong = {
  title: "Strong collapse",
  href: "../collapse/strong_collapse.html",
  axis: { key: "n_samples", label: "samples, real and synthetic, n", from: 10, to: 1e10 },
  y: { label: "excess error, predicting zero = 1" },
  controls: [
    share("synthetic_fraction", "p2", "Synthetic fraction p₂", 1e-5, 0.02, "0, all real"),
    real("shift_size", "c2", "Error of the synthetic labels c² (quality)", "", 1e-4, 10, 0.25, {
      zero: "0, exact labels",
    }),
    whole("n_samples", "n", "Samples n", "samples", 10, 1e10, 100000),
    whole("n_target", "target", "Samples planned", "samples", 10, 1e10, 1e9),
    ...spectrum(2000, 0, 0.5),
    {
      ...whole("width", "m", "Width m of a random projection (0: none)", "rows", 10, 1e6, 0),
      zero: "0, no projection",
    },
    ridge(0),
    noise("noise_std", "sigma", "Noise of all labels σ", 1),
  ],
  curves: [
    { key: "risk", label: "mixture", name: "mixture" },
    { key: "clean_risk", label: "all real", name: "as many real samples" },
    { key: "limit_risk", label: "limit", name: "limit of the mixture" },
  ],
  mark: (a) => ({ x: a.departure, label: "stops improving" }),
  say(s, a) {
    const said = [];
    const size = plural(s.n_samples, "sample");
    const p2 = s.synthetic_fraction;
    if (p2 === 0) said.push(`With ${size}, all of them real, the error is ${show(a.risk)}.`);
    else {
      said.push(
        `With ${size}, ${percent(p2)} of them synthetic, the error is ${show(a.risk)}; ` +
          `with real labels only it would be ${show(a.clean_risk)}.`,
      );
    }
    if (a.risk === Infinity) {
      said.push("It is infinite where a fit without ridge just interpolates.");
    }
    if (a.floor === 0) {
      said.push(
        "No label is wrong: " +
          (a.limit_risk > 0
            ? `only ridge and width stop the error, at ${show(a.limit_risk)}.`
            : s.noise_std > 0
              ? "more samples lower the error without end."
              : "from as many samples as features on the error is 0."),
      );
    } else if (a.departure === Infinity) {
      said.push(
        a.limit_risk < 2 * a.floor
          ? `10¹⁸ samples do not reach the floor of the synthetic labels, ${show(a.floor)}.`
          : `Ridge and width stop the error, at ${show(a.limit_risk)}, before the floor of the ` +
            `synthetic labels is felt, ${show(a.floor)}.`,
      );
    } else {
      said.push(
        `Beyond ${plural(a.departure, "sample", show)} this mixture stops improving: the synthetic ` +
          `labels leave a floor of ${show(a.floor)}.`,
      );
      const target = `${show(s.n_target)} samples`;
      if (a.departure < s.n_target) {
        const most = a.admissible && `p₂ below ${show(a.admissible)}`;
        said.push(`${most || "No p₂ above 0"} would move that to ${target}.`);
      } else if (a.admissible === 1) {
        said.push(`Up to ${target} no synthetic fraction, however large, is felt that much.`);
      } else if (a.admissible > p2) {
        said.push(`With ${target} planned, p₂ may be up to ${show(a.admissible)}.`);
      }
    }
    if (p2 < 1 && p2 * s.n_samples > 0.5) {
      const without = show(a.real_risk);
      const advice = a.real_risk < a.risk ? "throw them away" : "keep them";
      said.push(
        `Without the synthetic samples the error would be ${without}: ` +
          `${without === show(a.risk) ? "no difference" : advice}.`,
      );
    }
    return said;
  },
};

const scaling = {
  title: "Scaling laws",
  href: "../collapse/scaling_laws.html",
  axis: { key: "n_samples", label: "training samples, T", from: 10, to: 1e12 },
  y: { label: "test error of a memoriser" },
  controls: [
    real("tail_exponent", "beta", "Tail exponent β", "", 1.05, 4, 1.5, { step: 0.05 }),
    whole("n_samples", "T", "Samples T", "samples", 10, 1e12, 100000),
    whole("rank", "k", "Synthetic tail cut at rank k", "items", 2, 1e6, 100),
    share("real_fraction", "pi", "Real fraction π", 1e-6, 0.01, "0, all synthetic"),
    whole("n_generations", "n", "Generations of samples n", "generations", 0, 200, 10, { step: 1 }),
    whole("n_generator_samples", "T0", "Samples of a generation T₀", "samples", 10, 1e9, 2000),
  ],
  curves: [
    { key: "mix_error", label: "tail cut", name: "mixture with the tail cut" },
    { key: "clean_error", label: "all real", name: "real samples only" },
    { key: "chain_error", label: "chain", name: "samples of samples" },
  ],
  mark: (a) => ({ x: a.recovery > a.stop ? a.stop : NaN, label: "goes flat" }),
  say(s, a) {
    const share = s.real_fraction;
    const size = plural(s.n_samples, "sample");
    const said = [`${size}, all of them real, leave the error ${show(a.clean_error)}.`];
    if (share === 1) said.push("With a real fraction of 1 no tail is cut.");
    else {
      said.push(
        `Cut at rank ${exact(s.rank)}, synthetic data stop teaching at about ` +
          `${show(a.stop)} samples, at the error ${show(a.floor)}.`,
      );
      said.push(
        share === 0
          ? `Without real data no number of samples goes below that; ` +
              `${size} have ${show(a.mix_error)}.`
          : `With ${percent(share)} of real data the error falls again from about ` +
              `${show(a.recovery)} samples on; ${size} have ${show(a.mix_error)}.`,
      );
    }
    const n = s.n_generations;
    if (n > 0) {
      said.push(
        `After ${plural(n, "generation")} of ${plural(s.n_generator_samples, "sample")}` +
          `${share > 0 ? `, all but the first with ${percent(share)} of real data` : ""}, ` +
          `${size} are worth ${show(a.effective_samples)} real ones: ` +
          `error ${show(a.chain_error)}.`,
      );
    }
    said.push(
      a.doubling_generation < Infinity
        ? `In a chain of equal sizes T₀ the error doubles by generation ` +
            `${exact(a.doubling_generation)}.`
        : "In a chain of equal sizes T₀ the error does not double in 1,000 generations.",
    );
    return said;
  },
};

const verification = {
  title: "Verifiers",
  href: "../collapse/verification.html",
  axis: { key: "n_generated", label: "generated examples, N", from: 10, to: 1e8 },
  y: { label: "accuracy of the student", linear: true },
  controls: [
    rate("error_rate", "p", "Error rate of the generator p", 0, 0.3),
    rate("keep_if_correct", "phi", "Right labels kept φ", 0.01, 0.9),
    rate("keep_if_wrong", "psi", "Wrong labels kept ψ", 0, 0.3),
    whole("n_generated", "N", "Generated examples N", "examples", 10, 1e8, 800),
    whole("n_features", "d", "Features d", "features", 2, 100000, 200),
    real("signal", "s", "Distance of the classes s (in noise)", "", 0.1, 5, 1.5),
    real("ridge", "ridge", "Ridge λ", "", 1e-6, 1000, 0.1, { zero: "0, no ridge" }),
  ],
  curves: [
    { key: "one_shot_accuracy", label: "verified", name: "mean of the verified" },
    { key: "accuracy", label: "ridge", name: "ridge regression on the verified" },
    { key: "unselected_accuracy", label: "unverified", name: "mean of all generated" },
    { key: "bayes_accuracy", label: "best", name: "best possible" },
  ],
  mark: (a) => ({ x: a.needed, label: "one point from best" }),
  say(s, a) {
    const [p, star] = [s.error_rate, a.breakdown_point];
    const off = abs(p - star) < 1e-12 ? 0 : p - star; // 0.05 is not quite 0.01 / 0.2
    const works = off < 0;
    const said = [
      works
        ? `Selection works: the generator errs in ${percent(p)}, and this verifier bears up to ` +
          `${percent(star)}.`
        : off > 0
          ? `Selection fails: the generator errs in ${percent(p)}, and this verifier bears up ` +
            `to ${percent(star)} only. The student learns the opposite rule.`
          : `The generator errs in ${percent(p)}, exactly the breakdown point: ` +
            `the student learns nothing.`,
    ];
    if (a.kept_share === 0) return [...said, "Nothing is kept."];
    const [n, worth, plain] = [s.n_generated, a.effective_samples, a.unselected_samples];
    let value = `they are worth ${show(worth)} clean ones`;
    if (works && p < 0.5 && plain > 0) {
      const times = show(worth / plain);
      if (times === "1") value += ", as many as ";
      else value += worth < plain ? ", fewer than " : `, ${times} times `;
      value += `the ${show(plain)} of the unverified`;
    } else if (works) value += "; unverified they would teach nothing right";
    else value = off > 0 ? "more of them make it worse" : "they are worth nothing";
    said.push(
      `Of ${exact(n)} examples ${show(n * a.kept_share)} are kept, ` +
        `${percent(a.selected_error_rate)} of them wrong; ${value}.`,
    );
    said.push(
      `The mean of them has the accuracy ${percent(a.one_shot_accuracy)}, ridge regression ` +
        `${percent(a.accuracy)}; no rule has more than ${percent(a.bayes_accuracy)}.`,
    );
    if (works && a.needed > 0) {
      const needed = plural(ceil(a.needed), "generated example", show);
      said.push(`From ${needed} on the mean is within a point of that.`);
    }
    return said;
  },
};

const panels = { regression, strong, scaling, verification };

// --- settings, and links that carry them ---

const example = (panel) =>
  Object.fromEntries(panels[panel].controls.map((control) => [control.key, control.value]));

const encode = (panel, setting) =>
  [`panel=${panel}`, ...panels[panel].controls.map((c) => `${c.name}=${setting[c.key]}`)].join("&");

const range = (c) =>
  `${c.zero ? "0, or " : ""}${c.whole ? "whole, " : ""}from ${show(c.min)} to ${show(c.max)}`;

/** Nearest allowed value. */
function clamp(control, value) {
  if (control.zero && value <= 0) return 0;
  if (value < control.min && control.zero && value < control.min / 2) return 0;
  return min(max(control.whole ? round(value) : value, control.min), control.max);
}

/** Read a link; what is wrong in it is replaced and reported. */
function decode(text) {
  const given = new URLSearchParams(text);
  const notes = [];
  let panel = given.get("panel");
  if (!Object.hasOwn(panels, panel)) {
    notes.push(`there is no panel “${panel}”`);
    [panel] = Object.keys(panels);
  }
  const setting = example(panel);
  for (const [name, raw] of given) {
    if (name === "panel") continue;
    const control = panels[panel].controls.find((one) => one.name === name);
    const value = raw.trim() === "" ? NaN : Number(raw);
    if (!control) notes.push(`“${name}” is not a setting of this panel`);
    else if (Number.isNaN(value)) notes.push(`${name} = “${raw}” is no number`);
    else {
      setting[control.key] = clamp(control, value);
      if (setting[control.key] !== value) {
        notes.push(`${name} = ${raw} became ${setting[control.key]} (${range(control)})`);
      }
    }
  }
  return { panel, setting, notes };
}

root.fragileLearning.calculator = { panels, example, encode, decode };
if (typeof document === "undefined") return;

// --- elements ---

const SVG = "http://www.w3.org/2000/svg";
function fill(element, attributes, children = []) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
const h = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);
const g = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

// --- one control: a slider and a number ---

function steps(c) {
  const count = c.step ? (c.max - c.min) / c.step : 20 * log10(c.max / c.min);
  return round(count) + (c.zero ? 1 : 0);
}
function position(c, value) {
  if (c.zero && value === 0) return 0;
  const first = c.zero ? 1 : 0;
  const part = c.step
    ? (value - c.min) / (c.max - c.min)
    : log(value / c.min) / log(c.max / c.min);
  return first + round(part * (steps(c) - first));
}
function valueAt(c, place) {
  if (c.zero && place === 0) return 0;
  const first = c.zero ? 1 : 0;
  const part = (place - first) / (steps(c) - first);
  const value = c.step ? c.min + part * (c.max - c.min) : c.min * (c.max / c.min) ** part;
  const rounded = Number(value.toPrecision(3));
  return min(max(c.whole ? round(rounded) : rounded, c.min), c.max);
}
const spoken = (c, value) =>
  value === 0 && c.zero ? c.zero : `${exact(value)}${c.unit ? ` ${c.unit}` : ""}`;

function controlOf(panel, c, app) {
  const id = `fc-${panel}-${c.name}`;
  const error = h("p", { id: `${id}-error`, class: "fc-error", role: "alert", hidden: true });
  const slider = h("input", {
    type: "range", id, min: 0, max: steps(c), step: 1,
    oninput: () => set(valueAt(c, Number(slider.value)), slider),
    onchange: () => app.commit(),
  });
  const number = h("input", {
    type: "number", id: `${id}-number`, step: c.whole ? 1 : "any", min: c.zero ? 0 : c.min,
    max: c.max, "aria-label": `${c.label}, as a number`, "aria-describedby": `${id}-error`,
    oninput: () => {
      const value = number.value === "" ? NaN : Number(number.value);
      const wrong = clamp(c, value) !== value; // also where it is no number
      number.setAttribute("aria-invalid", wrong);
      error.hidden = !wrong;
      error.textContent = `Allowed: ${range(c)}. The curves show ${exact(app.get(c.key))}.`;
      if (!wrong) set(value, number);
    },
    onchange: () => app.commit(),
  });
  function draw(value, source) {
    if (source !== slider) slider.value = position(c, value);
    slider.setAttribute("aria-valuetext", spoken(c, value));
    if (source === number) return;
    number.value = value;
    number.setAttribute("aria-invalid", false);
    error.hidden = true;
  }
  function set(value, source) {
    draw(value, source);
    app.change(c.key, value);
  }
  const element = h("div", {}, h("label", { for: id }, c.label),
    h("div", { class: "fc-pair" }, slider, number), error);
  return { element, draw };
}

// --- curves ---

const PER_DECADE = 10;

/** Values of all curves of a panel at the sizes of its axis. */
function sample(panel, curves) {
  const { from, to } = panel.axis;
  const xs = sizes(from, to, PER_DECADE * round(log10(to / from)) + 1);
  return { xs, ys: panel.curves.map(({ key }) => xs.map((x) => curves[key](x))) };
}

/** Ticks at powers of ten; at more digits where these are few. */
function ticks(low, high, linear) {
  if (linear) return [0, 0.25, 0.5, 0.75, 1];
  const found = [];
  for (let e = floor(log10(low)); e <= ceil(log10(high)); e++) {
    found.push(Number(`1e${e}`));
  }
  let list;
  for (const digits of [[1], [1, 2, 5], [1, 1.5, 2, 3, 4, 6, 8]]) {
    list = found.flatMap((x) => digits.map((digit) => Number((digit * x).toPrecision(3))));
    list = list.filter((x) => x >= low * 0.999 && x <= high * 1.001);
    if (list.length > 2) break;
  }
  return list;
}

function tickLabel(x, linear) {
  if (linear || (x >= 0.01 && x <= 100)) return show(x);
  return scientific(x.toExponential(), "·");
}

function chart(panel, data, setting, answer, width, cursors, readout) {
  const { linear } = panel.y;
  const height = width < 500 ? 300 : 380;
  const box = { left: 60, right: width - (width < 500 ? 84 : 96), top: 24, bottom: height - 46 };
  const finite = data.ys.flat().filter((y) => y > 0 && y < Infinity);
  if (!finite.length) finite.push(1); // all errors are 0
  let [low, high] = linear ? [0, 1] : [min(...finite), max(...finite)];
  if (!linear) {
    low = max(low, high * 1e-10);
    const pad = max((high / low) ** 0.04, high / low < 2 ? 1.5 : 1.05);
    [low, high] = [low / pad, high * pad];
  }
  const { from, to } = panel.axis;
  const logs = (a, b) => (v) => log(v / a) / log(b / a);
  const across = logs(from, to);
  const up = linear ? (v) => v : logs(low, high);
  const px = (x) => box.left + (box.right - box.left) * across(x);
  const py = (y) => box.bottom - (box.bottom - box.top) * min(max(up(y), 0), 1);
  const fix = (v) => v.toFixed(1);
  const text = (x, y, anchor, content) =>
    g("text", { x: fix(x), y: fix(y), "text-anchor": anchor }, content);
  const rule = (x1, x2, y1, y2, more) =>
    g("line", { x1: fix(x1), x2: fix(x2), y1: fix(y1), y2: fix(y2), ...more });

  const axes = g("g", { class: "fc-axes", "aria-hidden": "true" });
  const few = (list) => list.filter((_, i) => i % ceil(list.length / 9) === 0);
  for (const x of few(ticks(from, to))) {
    axes.append(rule(px(x), px(x), box.top, box.bottom));
    axes.append(text(px(x), box.bottom + 18, "middle", tickLabel(x)));
  }
  for (const y of few(ticks(low, high, linear))) {
    axes.append(rule(box.left, box.right, py(y), py(y)));
    axes.append(text(box.left - 6, py(y) + 4, "end", tickLabel(y, linear)));
  }
  axes.append(
    text((box.left + box.right) / 2, height - 8, "middle", panel.axis.label),
    text(4, 12, "start", panel.y.label),
  );
  const mark = panel.mark(answer);
  if (mark.x >= from && mark.x <= to) {
    const at = px(mark.x);
    const late = at > (box.left + box.right) / 2;
    axes.append(
      rule(at, at, box.top, box.bottom, { class: "fc-mark" }),
      text(at + (late ? -5 : 5), box.bottom - 16, late ? "end" : "start", mark.label),
    );
  }

  const picture = g(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", class: "fc-chart" },
    g("title", {}, `${panel.title}: ${panel.y.label} against ${panel.axis.label}`),
    g("desc", {},
      `${panel.curves.length} curves. The same values are in the table below. ` +
        "Each curve can be focused; the arrow keys move along it."),
    axes,
  );

  // Names at the right ends, apart from each other.
  const ends = data.ys.map((ys, i) => ({ i, y: py(ys.at(-1)) }));
  ends.sort((a, b) => a.y - b.y);
  ends.forEach((end, k) => (end.y = k ? max(end.y, ends[k - 1].y + 15) : end.y));
  for (let k = ends.length - 1, most = box.bottom; k >= 0; k--, most -= 15) {
    ends[k].y = min(ends[k].y, most);
  }
  const here = panel.axis.key;
  panel.curves.forEach((curve, i) => {
    const ys = data.ys[i];
    let [d, pen] = ["", "M"];
    ys.forEach((y, k) => {
      const shown = y < Infinity && (linear || y >= low);
      if (shown) d += `${pen}${fix(px(data.xs[k]))} ${fix(py(y))}`;
      pen = shown ? "L" : "M";
    });
    const dot = g("circle", { r: 5, class: "fc-dot" });
    const line = g(
      "g",
      { class: `fc-curve fc-curve-${i}`, tabindex: 0, role: "slider",
        "aria-label": `Curve: ${curve.name}`,
        "aria-valuemin": 0, "aria-valuemax": ys.length - 1 },
      g("path", { d: d || "M0 0", class: "fc-hit" }),
      g("path", { d: d || "M0 0", class: "fc-line" }),
      text(box.right + 6, ends.find((end) => end.i === i).y + 4, "start", curve.label),
      dot,
    );
    function move(k) {
      const place = min(max(k, 0), ys.length - 1);
      cursors[i] = place;
      const value = `${exact(data.xs[place])} samples: ${show(ys[place])}`;
      fill(line, { "aria-valuenow": place, "aria-valuetext": value });
      fill(dot, { cx: fix(px(data.xs[place])), cy: fix(py(ys[place])) });
      return `${curve.name}, ${value}`;
    }
    move(cursors[i] ?? data.xs.findIndex((x) => x * 1.13 >= setting[here]));
    const say = (message) => (readout.textContent = message);
    line.addEventListener("focus", () => say(move(cursors[i])));
    line.addEventListener("keydown", (event) => {
      const jump = {
        ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -ys.length, End: ys.length,
      }[event.key];
      if (jump === undefined) return;
      event.preventDefault();
      say(move(cursors[i] + jump));
    });
    line.addEventListener("pointermove", (event) => {
      const x = event.clientX - picture.getBoundingClientRect().left;
      const k = ((x - box.left) / (box.right - box.left)) * (ys.length - 1);
      say(move(round(k)));
    });
    picture.append(line);
  });
  return picture;
}

const ROWS = 5; // a row of the table for so many points of a curve

function tableOf(panel, data) {
  const head = [panel.axis.label, ...panel.curves.map((curve) => curve.name)];
  const rows = data.xs.map((x, k) => [exact(x), ...data.ys.map((ys) => show(ys[k]))]);
  const row = ([first, ...rest]) =>
    h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((value) => h("td", {}, value)));
  return h("table", {},
    h("caption", {}, `${panel.title}: ${panel.y.label}.`),
    h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...rows.filter((_, k) => k % ROWS === 0).map(row)));
}

// --- the whole ---

function start(place) {
  const names = Object.keys(panels);
  const settings = Object.fromEntries(names.map((name) => [name, example(name)]));
  const views = {};
  let current = names[0];
  let [pending, talk] = [0, 0];

  const note = h("p", { class: "fc-note", role: "status" });
  const spokenNow = h("p", { class: "visually-hidden", "aria-live": "polite" });
  const link = h("input", { type: "text", readonly: true, "aria-label": "Link to this setting" });
  const copied = h("span", { role: "status" });
  const tabs = h("div", { role: "tablist", class: "fc-tabs", "aria-label": "Chapter" });

  const app = {
    get: (key) => settings[current][key],
    change(key, value) {
      settings[current][key] = value;
      views[current].cursors = [];
      note.textContent = "";
      if (!pending) pending = requestAnimationFrame(draw);
    },
    commit() {
      const wanted = encode(current, settings[current]);
      if (location.hash.slice(1) !== wanted) location.hash = wanted;
    },
  };

  for (const name of names) {
    const panel = panels[name];
    const controls = panel.controls.map((c) => controlOf(name, c, app));
    const sentence = h("div", { class: "fc-sentence" });
    const figure = h("div", { class: "fc-figure" });
    const readout = h("p", { class: "fc-readout" });
    const box = h("div", { class: "fc-table", tabindex: 0, role: "region", "aria-label": "Table" });
    const reset = h("button", { type: "button", onclick: () => {
      settings[name] = example(name);
      redraw();
      app.commit();
    } }, "Back to the example");
    const tab = h("button", {
      type: "button", role: "tab", id: `fc-tab-${name}`, "aria-controls": `fc-panel-${name}`,
      onclick: () => open(name, true), onkeydown: travel,
    }, panel.title);
    const element = h(
      "div",
      { role: "tabpanel", id: `fc-panel-${name}`, "aria-labelledby": tab.id, hidden: true },
      sentence,
      figure,
      readout,
      h("details", {}, h("summary", {}, "Table of the curves"), box),
      h("div", { class: "fc-controls", role: "group", "aria-label": "Setting" },
        ...controls.map((control) => control.element), reset),
      h("p", {}, "Where this comes from: ", h("a", { href: panel.href }, panel.title), "."),
    );
    tabs.append(tab);
    views[name] = { tab, element, controls, sentence, figure, readout, box, cursors: [] };
  }

  function travel(event) {
    const at = names.indexOf(current);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    open(names[(to + names.length) % names.length], true);
    views[current].tab.focus();
  }

  function open(name, push) {
    current = name;
    for (const [key, view] of Object.entries(views)) {
      view.tab.setAttribute("aria-selected", key === name);
      view.tab.tabIndex = key === name ? 0 : -1;
      view.element.hidden = key !== name;
    }
    redraw();
    if (push) app.commit();
  }

  /** Controls and curves from the setting. */
  function redraw() {
    views[current].cursors = [];
    note.textContent = "";
    views[current].controls.forEach((control, i) =>
      control.draw(settings[current][panels[current].controls[i].key]));
    draw();
  }

  /** Curves, sentences, table and link from the setting. */
  function draw() {
    pending = 0;
    const begin = performance.now();
    const [panel, view, setting] = [panels[current], views[current], settings[current]];
    const { answer, curves } = formulas[current](setting);
    const data = sample(panel, curves);
    const said = panel.say(setting, answer);
    view.readout.textContent = "Point at a curve, or focus it and use arrow keys.";
    view.sentence.replaceChildren(...said.map((line) => h("p", {}, line)));
    const width = max(round(view.figure.clientWidth), 260);
    view.figure.replaceChildren(
      chart(panel, data, setting, answer, width, view.cursors, view.readout),
    );
    view.box.replaceChildren(tableOf(panel, data));
    link.value = `${location.href.split("#")[0]}#${encode(current, setting)}`;
    copied.textContent = "";
    clearTimeout(talk);
    talk = setTimeout(() => (spokenNow.textContent = said.join(" ")), 800);
    place.dataset.milliseconds = (performance.now() - begin).toFixed(1);
  }

  function load() {
    const text = location.hash.slice(1);
    if (text !== "" && !text.includes("panel=")) return; // a heading of the page
    const { panel, setting, notes } = text
      ? decode(text)
      : { panel: names[0], setting: example(names[0]), notes: [] };
    const known = encode(current, settings[current]) === encode(panel, setting);
    if (known && !notes.length && place.dataset.milliseconds) return;
    settings[panel] = setting;
    open(panel, false);
    note.textContent = notes.length ? `The link was corrected: ${notes.join("; ")}.` : "";
  }

  const copy = h("button", { type: "button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(link.value);
      copied.textContent = "Copied.";
    } catch {
      link.focus();
      link.select();
      copied.textContent = "Select and copy.";
    }
  } }, "Copy link");

  place.replaceChildren(
    tabs, note,
    ...names.map((name) => views[name].element),
    h("div", { class: "fc-link" }, link, copy, copied),
    spokenNow,
  );
  root.addEventListener("hashchange", load);
  let before = 0;
  new ResizeObserver(() => {
    const width = round(views[current].figure.clientWidth);
    if (width && width !== before) draw();
    before = width;
  }).observe(place);
  load();
  if (location.hash.includes("panel=")) place.scrollIntoView();
}

const place = document.getElementById("fl-calculator");
if (place) start(place);
})(globalThis);
