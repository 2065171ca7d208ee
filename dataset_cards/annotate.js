
"use strict";
(() => {
  const sheet = JSON.parse(document.getElementById("sheet").textContent);
  const at = (id) => document.getElementById(id);
  const QUESTIONS = sheet.questions;
  const OPTIONS = { label: sheet.labels, naturalness: [1, 2, 3, 4, 5], source: ["human", "machine"] };
  const COUNT = sheet.rows.length;

  // Answers are kept one entry a row, so that two tabs of one rater never overwrite each other's rows.
  // Without storage they live in `memory`, and the page says so.
  const PREFIX = `sentisynth-annotate:${sheet.sheet}:`;
  const memory = new Map();
  let keeps = true;
  function withoutStorage() { keeps = false; at("unkept").hidden = false; }
  try {
    localStorage.setItem(`${PREFIX}probe`, "1");
    if (localStorage.getItem(`${PREFIX}probe`) !== "1") withoutStorage();
    localStorage.removeItem(`${PREFIX}probe`);
  } catch { withoutStorage(); }
  function read(name) {
    if (memory.has(name)) return memory.get(name);
    try { return localStorage.getItem(PREFIX + name); } catch { return null; }
  }
  function write(name, value) {
    if (keeps) {
      try { localStorage.setItem(PREFIX + name, value); return; } catch { withoutStorage(); }
    }
    memory.set(name, value);
  }
  function removeAll(start) {
    for (const name of [...memory.keys()]) if (name.startsWith(start)) memory.delete(name);
    try {
      for (const name of Object.keys(localStorage)) if (name.startsWith(PREFIX + start)) localStorage.removeItem(name);
    } catch { /* nothing was kept */ }
  }

  let rater = 0;
  let place = 0;
  let asked = -1;      // row whose open questions were pointed out once
  let exported = true; // whether what is only in memory has been downloaded

  function answersOf(who, id) {
    let found;
    try { found = JSON.parse(read(`${who}:${id}`)); } catch { found = null; }
    return Object.fromEntries(QUESTIONS.map((question) => {
      const value = found && typeof found === "object" ? found[question] : null;
      return [question, OPTIONS[question].includes(value) ? value : null];
    }));
  }
  const openOf = (answers) => QUESTIONS.filter((question) => answers[question] === null);
  const answered = (who) => sheet.rows.filter((row) => !openOf(answersOf(who, row.id)).length).length;
  const row = () => sheet.rows[sheet.orders[rater - 1][place]];
  const plural = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;
  const say = (message) => { at("status").textContent = message; };

  function only(section) {
    for (const id of ["start", "rate", "end"]) at(id).hidden = id !== section;
    window.scrollTo(0, 0);
  }

  function show(where) {
    place = Math.max(0, Math.min(COUNT - 1, where));
    asked = -1;
    write(`${rater}:place`, String(place));
    only("rate");
    at("row-title").textContent = `Text ${place + 1} of ${COUNT}`;
    at("text").textContent = row().text;
    at("text").scrollTop = 0;
    at("back").disabled = place === 0;
    say("");
    mark();
    at("row-title").focus();
  }

  function mark() {
    const answers = answersOf(rater, row().id);
    for (const question of QUESTIONS) {
      OPTIONS[question].forEach((value, i) => { at(`${question}-${i}`).checked = answers[question] === value; });
    }
    at("progress").value = answered(rater);
  }

  function save(question, value) {
    write(`${rater}:${row().id}`, JSON.stringify({ ...answersOf(rater, row().id), [question]: value }));
    exported = false;
    asked = -1;
    mark();
    say(keeps ? "Saved." : "Noted. Not saved on this device.");
  }

  function pick(question, i) {
    save(question, OPTIONS[question][i]);
    const following = QUESTIONS[QUESTIONS.indexOf(question) + 1];
    if (following === undefined) at("next").focus();
    else (document.querySelector(`input[name=${following}]:checked`) || at(`${following}-0`)).focus();
  }

  // The question that has the focus, else the first one that is open.
  function current() {
    const field = document.activeElement && document.activeElement.closest("fieldset");
    if (field) return field.id.replace("question-", "");
    return openOf(answersOf(rater, row().id))[0];
  }

  function next() {
    const left = openOf(answersOf(rater, row().id));
    if (left.length && asked !== place) {
      asked = place;
      say(`${plural(left.length, "question")} open here. Once more goes on and leaves ${left.length === 1 ? "it" : "them"} open.`);
      return;
    }
    if (place + 1 < COUNT) show(place + 1);
    else finish();
  }

  function content() {
    const none = { label: null, naturalness: null, source: null };
    const answers = sheet.rows.map(({ id }) => ({ id, ...none, ...answersOf(rater, id) }));
    return JSON.stringify({ format: "sentisynth-annotations", version: 1, sheet: sheet.sheet, rater, answers }, null, 1);
  }

  function finish() {
    const done = answered(rater);
    only("end");
    at("end-title").textContent = done === COUNT ? "All texts are rated. Thank you!" : "Your answers so far";
    at("open").textContent = done === COUNT
      ? `${COUNT} of ${COUNT} texts answered by rater ${rater}.`
      : `${done} of ${COUNT} texts answered by rater ${rater}; ${plural(COUNT - done, "text")} with open questions.`;
    at("first-open").hidden = done === COUNT;
    at("exported").textContent = "";
    at("answers").value = content();
    (done === COUNT ? at("export") : at("end-title")).focus();
  }

  function hand() {
    const address = URL.createObjectURL(new Blob([content()], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = `annotations-${sheet.sheet}-rater-${rater}.json`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    exported = true;
    at("exported").textContent = `Handed to the browser as ${link.download}. Look for it among your downloads.`;
  }

  function offer() {
    const who = at("rater").valueAsNumber;
    const known = Number.isInteger(who) && who >= 1 && who <= sheet.orders.length && read(`${who}:place`) !== null;
    at("resume").textContent = known
      ? `This device holds ${answered(who)} of ${COUNT} texts answered by rater ${who}. Going on where you stopped.` : "";
    at("go").textContent = known ? "Go on" : "Start";
    return known;
  }

  at("begin").addEventListener("submit", (event) => {
    event.preventDefault();
    const who = at("rater").valueAsNumber;
    if (!(Number.isInteger(who) && who >= 1 && who <= sheet.orders.length)) return;
    rater = who;
    write("last", String(rater));
    show(Number.parseInt(read(`${rater}:place`), 10) || 0);
  });
  at("rater").addEventListener("input", offer);
  at("back").addEventListener("click", () => show(place - 1));
  at("next").addEventListener("click", next);
  at("finish").addEventListener("click", finish);
  at("rows").addEventListener("click", () => show(place));
  at("first-open").addEventListener("click", () => {
    show(sheet.orders[rater - 1].findIndex((i) => openOf(answersOf(rater, sheet.rows[i].id)).length));
  });
  at("export").addEventListener("click", hand);
  at("answers").addEventListener("focus", (event) => event.target.select());
  at("remove").addEventListener("click", () => {
    removeAll(`${rater}:`);
    removeAll("last");
    exported = true;
    location.reload();
  });
  for (const question of QUESTIONS) {
    at(`question-${question}`).addEventListener("change", (event) => {
      save(question, OPTIONS[question][Number(event.target.value)]);
    });
  }

  document.addEventListener("keydown", (event) => {
    if (at("rate").hidden || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const question = current();
    if (/^[1-9]$/.test(key)) {
      if (question === undefined) say("All is answered. Enter goes on; Tab leads to a question, then a digit changes it.");
      else if (Number(key) > OPTIONS[question].length) say(`There is no answer ${key} to this question.`);
      else if (!event.repeat) pick(question, Number(key) - 1);
    } else if ((key === "h" || key === "m") && QUESTIONS.includes("source") && !event.repeat) pick("source", key === "h" ? 0 : 1);
    else if (key === "Delete" && question !== undefined) save(question, null);
    else if (key === "Backspace" && !event.repeat) { if (place > 0) show(place - 1); }
    else if (key === "Enter" && !event.repeat && !event.target.closest("button")) next();
    else if (key === "e") finish();
    else return;
    event.preventDefault();
  });
  window.addEventListener("beforeunload", (event) => { if (!keeps && !exported) event.preventDefault(); });

  const last = Number.parseInt(read("last"), 10);
  if (last >= 1 && last <= sheet.orders.length) at("rater").value = String(last);
  (offer() ? at("go") : at("rater")).focus({ preventScroll: true }); // what is stored is read first
})();
