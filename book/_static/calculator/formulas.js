/*
 * The formulas of the calculator: no document, no network, no dependence.
 *
 * Every number has a reference in Python (fragile_learning.<room>.calculator), with which
 * tests/site/test_calculator.py compares it. A classic script, not a module: browsers refuse to
 * load modules from a file, and the book is to be read from a disk too.
 */
(function (root) {
"use strict";

const { abs, cos, exp, expm1, floor, hypot, log, log1p, max, min, pow, sqrt, PI } = Math;
const add = (total, value) => total + value;
const dot = (a, b) => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
};
// Quotient of non-negative numbers in which 0/0 is 0: no noise, no pole.
const ratio = (top, bottom) => (top === 0 ? 0 : bottom > 0 ? top / bottom : Infinity);

/** `count` numbers from `low` to `high`, evenly spaced in the logarithm. */
function logSpaced(low, high, count) {
  const [a, b] = [log(low), log(high)];
  return Array.from({ length: count }, (_, i) => exp(a + ((b - a) * i) / (count - 1)));
}

/** The same, rounded to whole numbers, each once. */
const sizes = (low, high, count) => [
  ...new Set(logSpaced(low, high, count).map((x) => floor(x + 0.5))),
];

/** First whole number above `low` where `outside` does not hold. */
function bisect(outside, low, high) {
  while (high - low > max(1, 1e-15 * high)) {
    const middle = floor((low + high) / 2);
    if (outside(middle)) low = middle;
    else high = middle;
  }
  return high;
}

/** Least whole number from which on `outside` never holds; Infinity where it holds at the top. */
function lastCrossing(outside, top, peak) {
  const grid = [...sizes(1, top, 400), peak].sort((a, b) => a - b);
  let i = grid.length - 1;
  if (outside(grid[i])) return Infinity;
  while (i > 0 && !outside(grid[i - 1])) i--;
  return bisect(outside, grid[i - 1] ?? 0, grid[i]);
}

/** The values of all curves at one size. */
const valuesAt = (curves, n) =>
  Object.fromEntries(Object.entries(curves).map(([name, curve]) => [name, curve(n)]));

// --- spectra ---

const LOG_WIDTH = 1.5;
const NODES = 18;

/**
 * Replace a long sum over eigenvalues by a short one over nodes: bins of log-width 1.5 with 18
 * Chebyshev nodes each, whose weights carry the moments of the densities
 * (fragile_learning.spectra.spectral_measure). Descending values.
 */
function compress(values, densities) {
  const nodes = [];
  const weights = densities.map(() => []);
  const angles = Array.from({ length: NODES }, (_, k) => ((k + 0.5) * PI) / NODES);
  const cosines = angles.map((angle) =>
    Array.from({ length: NODES }, (_, order) => (order ? 2 : 1) * cos(order * angle)),
  );
  const logs = values.map(log);
  const moments = densities.map(() => new Float64Array(NODES));
  for (let start = 0, stop; start < values.length; start = stop) {
    const end = logs[0] - LOG_WIDTH * (floor((logs[0] - logs[start]) / LOG_WIDTH) + 1);
    for (stop = start + 1; stop < values.length && logs[stop] > end; ) stop++;
    if (stop - start <= NODES) {
      for (let j = start; j < stop; j++) {
        nodes.push(values[j]);
        densities.forEach((density, i) => weights[i].push(density[j]));
      }
      continue;
    }
    const centre = (logs[start] + logs[stop - 1]) / 2;
    const half = (logs[start] - logs[stop - 1]) / 2;
    moments.forEach((moment) => moment.fill(0));
    for (let j = start; j < stop; j++) {
      const x = (logs[j] - centre) / half;
      for (let i = 0; i < moments.length; i++) {
        const [moment, density] = [moments[i], densities[i][j]];
        let before = 0;
        let now = density;
        for (let order = 0; order < NODES; order++) {
          moment[order] += now;
          const next = (order ? 2 : 1) * x * now - before;
          before = now;
          now = next;
        }
      }
    }
    angles.forEach((angle, k) => {
      nodes.push(exp(centre + half * cos(angle)));
      moments.forEach((moment, i) => weights[i].push(dot(cosines[k], moment) / NODES));
    });
  }
  return { nodes, weights };
}

/** Eigenvalues j^-exponent (all 1 for exponent 0) and the squared coordinates of the target. */
function powerLaw(size, exponent, source) {
  const values = new Float64Array(size);
  const target = new Float64Array(size);
  const delta = 1 + exponent * (2 * source - 1);
  for (let j = 0; j < size; j++) {
    values[j] = pow(j + 1, -exponent);
    target[j] = exponent ? pow(j + 1, -delta) : 1 / size;
  }
  return { values, target, signal: dot(values, target) };
}

/** The spectrum as nodes, with the densities given beside the counting one. */
function measure(spectrum, densities) {
  const size = spectrum.values.length;
  const white = spectrum.values[0] === spectrum.values[size - 1];
  const all = [new Float64Array(size).fill(1), ...densities];
  const { nodes, weights } = white
    ? { nodes: [spectrum.values[0]], weights: all.map((density) => [density.reduce(add, 0)]) }
    : compress(spectrum.values, all);
  const [count, ...rest] = weights;
  const times = rest.map((weight) => weight.map((value, k) => value * nodes[k]));
  return { size, nodes, count, densities: times, trace: dot(count, nodes) };
}

/** Effective ridge: the root of kappa - ridge = kappa df1(kappa) / samples, by Newton. */
function kappa(m, samples, ridge) {
  if (ridge === 0 && samples >= m.size) return 0;
  const above = samples - m.size;
  let k = ridge + m.trace / samples;
  for (let step = 0; step < 200; step++) {
    let [excess, missing, second] = [0, 0, 0];
    for (let j = 0; j < m.nodes.length; j++) {
      const share = m.nodes[j] / (m.nodes[j] + k);
      const rest = k / (m.nodes[j] + k);
      excess += m.count[j] * share * rest;
      missing += m.count[j] * rest * (1 + share);
      second += m.count[j] * share * share;
    }
    const slack = above >= 0 ? above + missing : samples - second;
    const next = (k * excess + samples * ridge) / slack;
    if (!(next < k * (1 - 4e-16))) break;
    k = next;
  }
  return k;
}

// --- iterated regression ---

const ENDLESS = 1e15;

/** Follow equal least-squares generators: what they hand to the student, per direction. */
function generate(spectrum, setting) {
  const { values, target } = spectrum;
  const size = values.length;
  const zeros = () => new Float64Array(size);
  const [second, error, lost, noise] = [target.slice(), zeros(), zeros(), zeros()];
  const [samples, variance] = [setting.n_generator_samples, setting.generator_noise_std ** 2];
  const plain = { size, nodes: values, count: zeros().fill(1), trace: values.reduce(add, 0) };
  const k = kappa(plain, samples, 0);
  const [kept, rest, spread] = [zeros(), zeros(), zeros()];
  let learned = 0;
  for (let j = 0; j < size; j++) {
    kept[j] = values[j] / (values[j] + k);
    rest[j] = k / (values[j] + k);
    spread[j] = kept[j] / (values[j] + k);
    learned += kept[j] ** 2;
  }
  const slack = samples >= size ? samples - size : max(samples - learned, 0);
  let infinite = false;
  for (let stage = 0; stage < setting.n_generations; stage++) {
    const signal = ratio(k ** 2 * dot(spread, second), slack);
    let label = ratio(variance + k ** 2 * dot(spread, noise), slack);
    if (label === Infinity) [infinite, label] = [true, 0];
    for (let j = 0; j < size; j++) {
      const square = kept[j] ** 2;
      error[j] = square * error[j] + 2 * kept[j] * rest[j] * lost[j];
      error[j] += rest[j] ** 2 * target[j] + spread[j] * signal;
      second[j] = square * second[j] + spread[j] * signal;
      noise[j] = square * noise[j] + spread[j] * label;
      lost[j] = kept[j] * lost[j] + rest[j] * target[j];
    }
  }
  return { second, error, lost, noise, infinite };
}

/** Sums over the spectrum at one effective ridge; the student's sample size does not enter. */
function sums(m, k) {
  const out = { bias: 0, second: 0, learned: 0, unlearned: 0, df1: 0, df2: 0, missing: 0, rest: 0 };
  const [second, error, lost, clean, noise] = m.densities;
  for (let j = 0; j < m.nodes.length; j++) {
    const kept = m.nodes[j] / (m.nodes[j] + k);
    const rest = k / (m.nodes[j] + k);
    out.bias += (error[j] * kept + 2 * lost[j] * rest) * kept + clean[j] * rest * rest;
    out.second += second[j] * rest * rest;
    out.learned += noise[j] * kept * kept;
    out.unlearned += noise[j] * rest * rest;
    out.df1 += m.count[j] * kept;
    out.df2 += m.count[j] * kept * kept;
    out.missing += m.count[j] * rest * (1 + kept);
    out.rest += m.count[j] * rest;
  }
  return out;
}

function parts(student, s, samples) {
  const above = samples - student.m.size;
  const slack = above >= 0 ? above + s.missing : max(samples - s.df2, 0);
  const bias = s.bias + ratio(s.second * s.df2, slack);
  const variance = ratio(student.variance * s.df2, slack);
  let noise = s.learned + ratio(s.unlearned * s.df2, slack);
  if (student.infinite) noise = Infinity;
  return { bias, variance, noise, total: bias + variance + noise };
}

/** The student of generated and that of clean labels. */
function students(setting) {
  const spectrum = powerLaw(setting.n_features, setting.exponent, setting.source_exponent);
  const { second, error, lost, noise, infinite } = generate(spectrum, setting);
  const m = measure(spectrum, [second, error, lost, spectrum.target, noise]);
  const [clean, none] = [m.densities[3], m.nodes.map(() => 0)];
  const who = { m, infinite, signal: spectrum.signal, variance: setting.noise_std ** 2 };
  const alone = { ...m, densities: [clean, none, none, clean, none] };
  return [who, { ...who, m: alone, infinite: false }];
}

const riskAt = (who, samples, ridge) =>
  parts(who, sums(who.m, kappa(who.m, samples, ridge)), samples);

/** Sums on a grid of effective ridges, for `bestRisk` at any number of samples. */
function ridgeGrid(who) {
  const scale = who.m.trace / who.m.size;
  const ks = logSpaced(1e-14 * scale, 1e10 * scale, 481);
  return ks.map((k) => ({ k, s: sums(who.m, k) }));
}

/** Best ridge and risk; the ridge is followed through its effective ridge, without roots. */
function bestRisk(who, grid, samples) {
  if (who.infinite) return { ridge: Infinity, risk: who.signal };
  const least = kappa(who.m, samples, 0);
  const risk = (k) => parts(who, sums(who.m, k), samples).total;
  const none = risk(least);
  const open = grid.filter((point) => point.k > least);
  let [best, value] = [-1, none];
  open.forEach((point, i) => {
    const total = parts(who, point.s, samples).total;
    if (total < value) [best, value] = [i, total];
  });
  if (best === open.length - 1 && best >= 0) return { ridge: Infinity, risk: who.signal };
  let low = log(best > 0 ? open[best - 1].k : max(least, open[0].k * 1e-3));
  let high = log(open[max(best, 0) + (best < 0 ? 0 : 1)].k);
  const golden = (sqrt(5) - 1) / 2;
  for (let step = 0; step < 36; step++) {
    const a = high - golden * (high - low);
    const b = low + golden * (high - low);
    if (risk(exp(a)) <= risk(exp(b))) high = b;
    else low = a;
  }
  const k = exp((low + high) / 2);
  const found = risk(k);
  if (none <= found) return { ridge: 0, risk: none };
  if (who.signal <= found) return { ridge: Infinity, risk: who.signal };
  const s = sums(who.m, k);
  return { ridge: max(k * left(samples, who.m.size, s.df1, s.rest), 0), risk: found };
}

function regression(setting) {
  const [who, clean] = students(setting);
  const { n_samples: samples, ridge } = setting;
  const found = riskAt(who, samples, ridge);
  const risk = (n) => riskAt(who, n, ridge).total;
  const limit = risk(ENDLESS);
  const off = (n) => abs(risk(n) - limit) > 0.1 * limit;
  const settles = limit > 0 && limit < Infinity;
  const grid = ridgeGrid(who);
  const best = bestRisk(who, grid, samples);
  const curves = {
    risk,
    clean_risk: (n) => riskAt(clean, n, ridge).total,
    best_risk: (n) => bestRisk(who, grid, n).risk,
  };
  return {
    curves,
    answer: {
      ...valuesAt(curves, samples),
      bias: found.bias,
      variance: found.variance,
      generator_noise: found.noise,
      signal: who.signal,
      limit_risk: limit,
      settling_samples: settles ? lastCrossing(off, ENDLESS / 10, who.m.size) : Infinity,
      best_ridge: best.ridge,
    },
  };
}

// --- strong collapse ---

/** 1 - learned/count, where learned + missing = size, without cancellation. */
function left(count, size, learned, missing) {
  if (count === Infinity) return 1;
  return count >= size ? (count - size + missing) / count : 1 - learned / count;
}

/** Effective ridge of a projection: theta (1 - df1/n) (1 - df1/width) = ridge. */
function theta(m, samples, width, ridge) {
  const fewest = min(samples, width);
  const lowest = fewest < m.size ? kappa(m, fewest, 0) : 0;
  if (ridge === 0) return lowest;
  let low = max(lowest, ridge);
  let high = max(ridge + m.trace * (1 / samples + 1 / width), low);
  let here = high;
  for (let step = 0; step < 200; step++) {
    let [learned, missing, slope] = [0, 0, 0];
    for (let j = 0; j < m.nodes.length; j++) {
      const inverse = 1 / (m.nodes[j] + here);
      learned += m.count[j] * m.nodes[j] * inverse;
      missing += m.count[j] * here * inverse;
      slope += m.count[j] * m.nodes[j] * here * inverse * inverse;
    }
    const ofSamples = left(samples, m.size, learned, missing);
    const ofWidth = left(width, m.size, learned, missing);
    const value = here * ofSamples * ofWidth;
    const inside = ofSamples > 0 && ofWidth > 0;
    if (inside && value >= ridge) high = here;
    else low = here;
    const rate = 1 + slope / (samples * ofSamples) + slope / (width * ofWidth);
    const moved = inside ? here * exp(-log(value / ridge) / rate) : NaN;
    if (abs(moved - here) <= 4e-16 * here || high - low <= 4e-16 * high) break;
    here = moved > low && moved < high ? moved : sqrt(low * high);
  }
  return here;
}

/** The four terms of the risk of a mixture with a random shift, in the large-size limit. */
function mixtureRisk(mix, n, p2) {
  const { m, width, ridge, variance, quality } = mix;
  const t = theta(m, n, width, ridge);
  const p1 = 1 - p2;
  let [second, between, missing, learned, unlearned, both] = [0, 0, 0, 0, 0, 0];
  const signal = m.densities[0];
  for (let j = 0; j < m.nodes.length; j++) {
    const kept = m.nodes[j] / (m.nodes[j] + t);
    const rest = t / (m.nodes[j] + t);
    second += m.count[j] * kept * kept;
    between += m.count[j] * kept * rest;
    missing += m.count[j] * rest * (1 + kept);
    learned += signal[j] * kept * kept;
    unlearned += signal[j] * rest * rest;
    both += signal[j] * kept * rest;
  }
  const lost = ratio(between / width, left(width, m.size, second, missing));
  let slack = max(left(n, m.size, second, missing) - (lost * between) / n, 0);
  if (ridge === 0 && n === min(width, m.size)) slack = 0;
  const load = (second + lost * between) / n;
  const base = unlearned + lost * both;
  const bias = base + ratio(load * base, slack);
  const around = lost * both;
  const jitter = p1 ** 2 * learned + 2 * p1 * both + unlearned;
  const scatter = load * p2 * (p2 * (p1 * learned + around) + jitter) * quality;
  const collapse = quality * p2 ** 2 * (learned + around) + ratio(scatter, slack);
  const noise = ratio(variance * load, slack);
  return { bias, variance: noise, collapse, total: bias + noise + collapse };
}

function strong(setting) {
  const spectrum = powerLaw(setting.n_features, setting.exponent, setting.source_exponent);
  const unit = spectrum.target.map((value) => value / spectrum.signal);
  const mix = {
    m: measure(spectrum, [unit]),
    width: setting.width || Infinity,
    ridge: setting.ridge,
    variance: setting.noise_std ** 2,
    quality: setting.shift_size,
  };
  const { n_samples: n, synthetic_fraction: p2 } = setting;
  const clean = (size) => mixtureRisk(mix, size, 0).total;
  const real = (size) => (size > 0 ? clean(size) : 1);
  const limit = mixtureRisk(mix, Infinity, p2);
  const above = (size) => clean(size) >= limit.collapse;
  const scale = mixtureRisk(mix, Infinity, 1).collapse;
  const { bias, variance, collapse } = mixtureRisk(mix, n, p2);
  const curves = {
    risk: (size) => mixtureRisk(mix, size, p2).total,
    clean_risk: clean,
    limit_risk: () => limit.total,
  };
  return {
    curves,
    answer: {
      ...valuesAt(curves, n),
      bias,
      variance,
      collapse,
      real_risk: real(floor((1 - p2) * n + 0.5)),
      floor: limit.collapse,
      departure:
        limit.collapse === 0 || above(Infinity)
          ? Infinity
          : lastCrossing(above, 1e18, min(mix.width, mix.m.size)),
      admissible: scale === 0 ? 1 : min(sqrt(clean(setting.n_target) / scale), 1),
    },
  };
}

// --- scaling laws ---

const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730];

/** Weights of f(x + l) - f(x - l), l = 1..6, that make up the derivatives of Euler-Maclaurin. */
const END = (() => {
  const rows = BERNOULLI.map((value, i) => [
    ...BERNOULLI.map((_, j) => 2 * pow(j + 1, 2 * i + 1)),
    -value / (2 * (i + 1)),
  ]);
  rows.forEach((row, i) => {
    for (let k = row.length - 1; k >= i; k--) row[k] /= row[i];
    rows.forEach((other, j) => {
      if (j !== i) for (let k = row.length - 1; k >= i; k--) other[k] -= other[i] * row[k];
    });
  });
  return rows.map((row) => row[row.length - 1]);
})();

/** Gauss-Legendre nodes and weights on [-1, 1]. */
const GAUSS = (() => {
  const order = 16;
  return Array.from({ length: order }, (_, i) => {
    let x = cos((PI * (i + 0.75)) / (order + 0.5));
    let slope = 1;
    for (let step = 0; step < 50; step++) {
      let [before, now] = [1, x];
      for (let k = 2; k <= order; k++) {
        [before, now] = [now, ((2 * k - 1) * x * now - (k - 1) * before) / k];
      }
      slope = (order * (x * now - before)) / (x * x - 1);
      if (abs(now / slope) < 1e-16) break;
      x -= now / slope;
    }
    return [x, 2 / ((1 - x * x) * slope * slope)];
  });
})();

/** What a sum from `rank` on exceeds its integral by. */
function lowerEnd(f, rank) {
  const step = (total, weight, i) => total + weight * (f(rank + i + 1) - f(rank - i - 1));
  return END.reduce(step, 0.5 * f(rank));
}

/**
 * Sum of i^-beta (1 - rate i^-beta)^samples over the ranks from `first` to `last`: one by one
 * where terms vary fast, then the integral with the end corrections of Euler and Maclaurin.
 * The integral is over the logarithm of the rank, in panels of 16 points.
 */
function powerSum(samples, rate, beta, first, last) {
  const f = (x) => {
    const q = pow(x, -beta);
    return samples === 0 || rate === 0 ? q : q * exp(samples * log1p(-min(rate * q, 1)));
  };
  const start = max(first, Math.ceil(10 * beta) + 16);
  let total = 0;
  for (let i = first; i < start && i <= last; i++) total += f(i);
  if (last < start) return total;
  total += lowerEnd(f, start);
  if (last < Infinity) total += f(last) - lowerEnd(f, last);
  const from = log(start);
  const scale = log(max(samples * rate, 1e-300)) / beta;
  const to = min(log(last), max(from, scale + log(1e17) / beta)); // a plain power from there on
  const begin = min(max(from, scale - log(745) / beta), to); // and next to nothing before
  const count = Math.ceil(((to - begin) * beta) / 2.5);
  for (let panel = 0; panel < count; panel++) {
    const half = (to - begin) / count / 2;
    const middle = begin + (2 * panel + 1) * half;
    for (const [x, weight] of GAUSS) {
      const rank = exp(middle + half * x);
      total += half * weight * f(rank) * rank;
    }
  }
  const rest = exp((1 - beta) * to);
  const end = last === Infinity ? 0 : exp((1 - beta) * log(last));
  return total + (rest - end) / (beta - 1);
}

const zeta = (beta) => powerSum(0, 0, beta, 1, Infinity);

/** log Gamma by Stirling's series, after raising the argument. */
function logGamma(x) {
  let [shift, y] = [0, x];
  for (; y < 15; y++) shift += log(y);
  const z = 1 / (y * y);
  const series = (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z * (1 / 1680 - z / 1188)))) / y;
  return (y - 0.5) * log(y) - y + 0.5 * log(2 * PI) + series - shift;
}

const hutter = (beta, samples, z) => powerSum(samples, 1 / z, beta, 1, Infinity) / z;

function mixError(beta, samples, rank, share, z, head) {
  const real = share / z;
  const known = powerSum(samples, real + (1 - share) / head, beta, 1, rank);
  return (known + powerSum(samples, real, beta, rank + 1, Infinity)) / z;
}

/** Effective samples of a chain, and the size that matches the second order. */
function chainSamples(list, share) {
  let [survival, total, squares] = [1, 0, 0];
  for (let g = list.length - 1; g >= 0; g--) {
    const found = g === 0 ? survival : share * survival;
    total += list[g] * found;
    squares += list[g] * found * found;
    if (g > 0) survival = -expm1(-(1 - share) * (list[g] / list[g - 1]) * survival);
  }
  return { total, size: max((total / squares) * total, total) };
}

function chainError(beta, list, share, z) {
  const { total, size } = chainSamples(list, share);
  return powerSum(size, total / size / z, beta, 1, Infinity) / z;
}

const MOST_GENERATIONS = 1000;

function doublingGeneration(beta, samples, share, z) {
  const goal = 2 * hutter(beta, samples, z);
  const less = (n) => chainError(beta, new Array(n + 1).fill(samples), share, z) <= goal;
  return less(MOST_GENERATIONS) ? Infinity : bisect(less, 0, MOST_GENERATIONS);
}

function scaling(setting) {
  const { tail_exponent: beta, rank, real_fraction: share, n_samples: samples } = setting;
  const z = zeta(beta);
  const head = powerSum(0, 0, beta, 1, rank);
  const chain = (n) => [
    ...new Array(setting.n_generations).fill(setting.n_generator_samples),
    n,
  ];
  const c = 1 - 1 / beta;
  const stop = z * exp(logGamma(1 + c) / c) * pow(rank, beta);
  const curves = {
    clean_error: (n) => hutter(beta, n, z),
    mix_error: (n) => mixError(beta, n, rank, share, z, head),
    chain_error: (n) => chainError(beta, chain(n), share, z),
  };
  return {
    curves,
    answer: {
      ...valuesAt(curves, samples),
      floor: powerSum(0, 0, beta, rank + 1, Infinity) / z,
      stop,
      recovery: share > 0 ? stop / share : Infinity,
      effective_samples: chainSamples(chain(samples), share).total,
      doubling_generation: doublingGeneration(beta, setting.n_generator_samples, share, z),
    },
  };
}

// --- verifiers ---

/** Distribution function of the standard normal law, to a relative 1e-14. */
function normal(x) {
  const density = exp((-x * x) / 2) / sqrt(2 * PI);
  if (abs(x) < 2.5) {
    let [term, total] = [x, x];
    for (let k = 3; abs(term) > 1e-17 * abs(total); k += 2) total += term *= (x * x) / k;
    return 0.5 + density * total;
  }
  let fraction = 0;
  for (let k = 150; k > 0; k--) fraction = k / (abs(x) + fraction);
  const tail = density / (abs(x) + fraction);
  return x > 0 ? 1 - tail : tail;
}

/** Its inverse on (1/2, 1), by bisection: no derivative that may vanish. */
function quantile(p) {
  let [low, high] = [0, 40];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (normal(middle) < p) low = middle;
    else high = middle;
  }
  return high;
}

function oneShot(kept, net, s, d, n) {
  const length = hypot(s * net, sqrt((kept * d) / n));
  return normal(length > 0 ? (s * (s * net)) / length : 0);
}

function ridgeAccuracy(kept, net, s, d, n, ridge) {
  const gamma = d / n;
  const a = kept > 0 ? net / kept : 0;
  const root = hypot(ridge + kept - gamma, 2 * sqrt(ridge) * sqrt(gamma));
  const u = (2 * kept) / (ridge + kept + gamma + root);
  const k = s * s * u;
  const mixed = (1 - a) * (1 + a) * (1 + k) ** 2 + a * a;
  const below = sqrt(kept * a * a * k + gamma * u * mixed);
  return normal(below > 0 ? (a * k * sqrt(root)) / below : 0);
}

function verification(setting) {
  const { error_rate: p, keep_if_correct: phi, keep_if_wrong: psi } = setting;
  const { n_generated: n, n_features: d, signal: s, ridge } = setting;
  const [right, wrong] = [(1 - p) * phi, p * psi];
  const [kept, net] = [right + wrong, right - wrong];
  const gap = normal(s) - 0.01;
  const z = gap > 0.5 ? quantile(gap) : 0;
  const share = kept > 0 ? net / kept : 0;
  const needed = ((d / (net * share)) * (z / s) ** 2) / ((s - z) * (s + z));
  const plain = 1 - 2 * p;
  const curves = {
    accuracy: (size) => ridgeAccuracy(kept, net, s, d, size, ridge),
    one_shot_accuracy: (size) => oneShot(kept, net, s, d, size),
    unselected_accuracy: (size) => oneShot(1, plain, s, d, size),
    bayes_accuracy: () => normal(s),
  };
  return {
    curves,
    answer: {
      ...valuesAt(curves, n),
      breakdown_point: phi / (phi + psi),
      kept_share: kept,
      selected_error_rate: kept > 0 ? wrong / kept : psi > 0 ? 1 : 0,
      effective_samples: n * net * share,
      unselected_samples: n * plain * plain,
      needed: gap <= 0.5 ? 0 : right <= wrong ? Infinity : needed,
    },
  };
}

root.fragileLearning = {
  formulas: { regression, strong, scaling, verification },
  sizes,
};
})(globalThis);
