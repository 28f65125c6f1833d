/* Label: the owner's results: who won, how certain that is, agreement and biases. */
(() => {
  const {make, button, count, percent} = window.studioLabelParts;
  const EXPORTS = [["dpo", "DPO"], ["kto", "KTO"], ["reward", "reward model"]];

  /* ---- who won ------------------------------------------------------------------------------- */
  /* The same colours as everywhere: base slate, tuned violet; blue for a second tuned one. */
  const isBase = name => name === "base" || name.endsWith("(base)");
  const colours = (a, b) => isBase(b) ? ["tuned", "base"] : isBase(a) ? ["base", "tuned"]
    : ["tuned", "other"];
  /* `even` names what is neither's: with several people also a pair without a majority. */
  const duel = (rate, even) => {
    const total = rate.wins + rate.losses + rate.ties + rate.both_bad;
    const [first, second] = rate.losses > rate.wins
      ? [{name: rate.b, wins: rate.losses, low: 1 - rate.high, high: 1 - rate.low, rate: 1 - rate.rate},
        {name: rate.a, wins: rate.wins}]
      : [{name: rate.a, wins: rate.wins, low: rate.low, high: rate.high, rate: rate.rate},
        {name: rate.b, wins: rate.losses}];
    const decisive = rate.wins + rate.losses;
    const [one, two] = colours(first.name, second.name);
    const segment = (kind, size, label) => size
      ? make("span", {class: "lab-seg lab-seg-" + kind, style: `flex:${size}`,
        title: `${label}: ${size} of ${total}`}, String(size)) : "";
    const level = first.wins === second.wins;
    const settled = decisive > 0 && (first.low > .5 || first.high < .5);
    const head = !decisive ? "No pair was won by either side."
      : level ? `${first.name} and ${second.name} are even, ${first.wins} to ${second.wins}.`
      : `${first.name} won ${count(first.wins)} of ${count(decisive)} decided ${decisive === 1 ? "pair" : "pairs"}.`;
    const sure = !decisive ? "" : settled ? `${first.name} is preferred: ${percent(first.wins / decisive)} of the decided pairs.`
      : tooEarly(first.wins, decisive, total);
    const figures = !decisive ? "" : `${first.name}: ${percent(first.wins / decisive)} of the decided, 95 % interval `
      + `${percent(first.low)} to ${percent(first.high)}; sign test p = ${pValue(rate.p_value)}; ${percent(first.rate)} with ties as half.`;
    const drawn = make("section", {class: "lab-duel"}, make("h3", {}, head),
      make("div", {class: "lab-segs", role: "img", "aria-label": head},
        segment(one, first.wins, first.name), segment("tie", rate.ties, even),
        segment("bad", rate.both_bad, "both bad"), segment(two, second.wins, second.name)),
      make("div", {class: "lab-legend"}, legend(one, first.name, first.wins),
        legend("tie", even, rate.ties), legend("bad", "both bad", rate.both_bad),
        legend(two, second.name, second.wins)),
      make("p", {class: "lab-sentence"}, sure));
    return {drawn, figures};
  };
  /* How many more votes a difference of this size takes until its 95 % interval leaves 50 %, to one digit. */
  const tooEarly = (wins, decisive, total) => {
    const ahead = wins / decisive - .5;
    if (ahead < .02) return "No difference to be seen so far.";
    const more = ((.98 / ahead) ** 2 - decisive) * total / decisive, digit = 10 ** Math.floor(Math.log10(Math.max(more, 1)));
    const votes = Math.max(1, Math.ceil(more / digit) * digit);
    return `Too early to tell: about ${count(votes)} more ${votes === 1 ? "vote" : "votes"}.`;
  };
  const legend = (kind, name, size) => size || !["tie", "bad"].includes(kind)
    ? make("span", {}, make("i", {class: "lab-seg-" + kind}), `${name}: ${count(size)}`) : "";
  const pValue = p => p < .001 ? "less than 0.001" : p.toFixed(3);
  const leftOut = summary => {
    const parts = Object.entries(summary.left_out).map(([why, size]) => `${count(size)} ${why}`);
    const pairs = `${count(summary.rows)} ${summary.rows === 1 ? "pair" : "pairs"} to train on`
      + (summary.edited ? `, ${count(summary.edited)} of them edited` : "");
    return pairs + (parts.length ? `; left out: ${parts.join(", ")}.` : ".");
  };
  const figure = share => share == null ? "–" : percent(share);
  const coefficient = value => value == null ? "–" : value.toFixed(2);
  const bias = (what, part) => part.count ? `${what}: ${figure(part.share)} of ${count(part.count)}, 95 % interval `
    + `${percent(part.low)} to ${percent(part.high)}, p = ${pValue(part.p_value)}` : "";

  /* ---- agreement, biases, annotators ----------------------------------------------------------------- */
  const agreement = report => {
    const {raw, alpha, unanimous, shared} = report.agreement;
    const lines = [shared ? `Of ${count(shared)} pairs with several annotators, ${count(unanimous)} were unanimous. `
      + `Agreement ${figure(raw)}, Krippendorff's alpha ${coefficient(alpha)}.` : "",
    report.self_agreement.count ? `On repeated pairs, annotators agreed with themselves on `
      + `${figure(report.self_agreement.share)} of ${count(report.self_agreement.count)} pairs.` : "",
    report.settled ? `${count(report.settled)} ${report.settled === 1 ? "pair was" : "pairs were"} decided by an owner.` : "",
    bias("Left answer chosen", report.left), bias("Longer answer chosen", report.longer)];
    return lines.filter(Boolean).map(line => make("p", {}, line));
  };
  /* Two people's votes on the same pairs: on the diagonal they agree. */
  const table = ({people: [first, second], sides, cells, undecided}) => {
    const sum = cells.flat().reduce((a, b) => a + b, 0), same = cells[0][0] + cells[1][1];
    const prefers = (who, side) => make("th", {scope: "col"}, make("bdi", {}, who), " chose ", make("b", {}, side));
    const line = (row, at) => make("tr", {}, prefers(first, sides[at]), ...row.map((size, to) =>
      make("td", {class: at === to ? "lab-same" : ""}, count(size))));
    return make("section", {class: "lab-two"}, make("h3", {}, sum
      ? `${first} and ${second} agree on ${count(same)} of ${count(sum)} ${sum === 1 ? "pair" : "pairs"}`
      : `${first} and ${second} share no decided pair`),
    make("table", {}, make("thead", {}, make("tr", {}, make("td", {}), ...sides.map(side => prefers(second, side)))),
      make("tbody", {}, ...cells.map(line))),
    undecided ? make("p", {}, `${count(undecided)} more: a tie or both bad for at least one of them.`) : "");
  };
  const people = rows => {
    const heads = ["", "votes", "s per vote", "left", "longer", "with others", "with self", "unfinished"];
    const body = rows.map(row => make("tr", {}, make("th", {scope: "row"}, row.name,
      row.hasty ? make("span", {class: "chip chip-warn", title: "less than a third of the other annotators' time per vote"}, "fast") : ""),
    ...[count(row.votes), row.seconds == null ? "–" : row.seconds.toFixed(1), figure(row.left.share),
      figure(row.longer.share), figure(row.with_others), figure(row.self_agreement.share), count(row.skipped)]
      .map(text => make("td", {}, text))));
    return make("div", {class: "lab-table"}, make("table", {}, make("thead", {},
      make("tr", {}, ...heads.map(head => make("th", {scope: "col"}, head)))), make("tbody", {}, ...body)));
  };
  const listed = (title, briefs, act, settle = null) => briefs.length ? make("details", {class: "lab-listed", open: !!settle},
    make("summary", {}, `${title} (${count(briefs.length)})`), ...briefs.map(brief => make("div", {class: "lab-brief"},
      make("b", {dir: "auto"}, brief.asked), make("span", {}, "A ", make("bdi", {}, brief.a)), make("span", {}, "B ", make("bdi", {}, brief.b)),
      make("span", {class: "lab-who"}, brief.votes.map(vote => `${vote.name}: ${vote.choice.replace("_", " ")}`
        + (vote.note ? ` (${vote.note})` : "")).join(" · ")),
      make("div", {class: "lab-group"},
        settle ? button("Decide", "", () => settle(brief.item), {class: "lab-act", "data-settle": brief.item}) : "",
        button("Remove pair", "", () => act(brief.item), {class: "lab-act"}))))) : "";

  const save = (name, text) => {
    const link = make("a", {href: URL.createObjectURL(new Blob([text], {type: "application/jsonl"})),
      download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const reveal = ({results, summary, progress, report, aside}, act, download) => {
    const duels = results.map(rate => duel(rate, report.people.length > 1 ? "tie or split" : "tie"));
    return make("div", {class: "lab-reveal"},
    make("h2", {}, progress.left ? `${count(progress.done)} of ${count(progress.total)} labeled so far`
      : `All ${count(progress.total)} done`),
    progress.left ? make("p", {class: "lab-warn"}, "Names are now visible, so later votes are not blind.") : "",
    ...(duels.length ? duels.map(each => each.drawn) : [make("p", {}, "No votes yet.")]),
    report.two ? table(report.two) : "",
    listed("Disagreements", report.disagreements, act.retire, act.settle),
    listed("Flagged as broken", report.flagged, act.retire),
    make("details", {class: "lab-listed lab-judging"}, make("summary", {}, "Statistics"),
      ...duels.map(each => make("p", {}, each.figures)), make("h3", {}, "Agreement and bias"),
      ...agreement(report), report.people.length ? people(report.people) : ""),
    make("p", {class: "lab-rule"}, leftOut(summary), make("small", {}, summary.rule),
      aside ? make("small", {}, `Set aside: ${aside}.`) : ""),
    make("div", {class: "lab-actions"},
      ...EXPORTS.map(([format, label]) => button("Save " + label + " rows", "", () => download(format),
        {class: "lab-act", "data-export": format})),
      make("span", {class: "lab-gap"}),
      button("Undo", "u", act.undo, {class: "lab-act", "data-act": "undo"}),
      button("Earlier", "h", act.history, {class: "lab-act", "data-act": "history"}),
      progress.left ? button("Back to labeling", "Esc", act.back, {class: "lab-act", "data-act": "back"}) : ""));
  };

  window.studioLabelResults = {reveal, save};
})();
