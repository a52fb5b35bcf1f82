// Keeps a page up to date: the hub says that something has changed, and the page's own HTML is
// fetched again. Without this script every page says the same when it is loaded anew.

const main = document.querySelector("main");
const light = document.querySelector("#live");
const news = document.querySelector("#news");
const SOON_MS = 150;
const NEAR_PX = 40; // of the end of a page that grows: its reader wants to see the end
const MENU = 2; // the button that opens one
const AGAIN_MS = 15_000; // also without news: "3 min ago" grows old

let due = 0;
let busy = false;
let pressed = false;

// What a person has open, typed or reached stays so when the text around it is exchanged.
function remember() {
  const active = document.activeElement;
  return {
    open: [...main.querySelectorAll("details[id][open]")].map((one) => one.id),
    focus: active && main.contains(active) ? active.id || active.getAttribute("href") : "",
    scroll: window.scrollY,
    follows: main.dataset.every !== "" && isAtEnd(),
  };
}

function isAtEnd() {
  const page = document.documentElement;
  return page.scrollHeight > window.innerHeight && window.scrollY + window.innerHeight > page.scrollHeight - NEAR_PX;
}

function restore(kept) {
  for (const id of kept.open) document.getElementById(id)?.setAttribute("open", "");
  if (kept.focus) {
    const named = document.getElementById(kept.focus);
    const linked = main.querySelector(`[href="${CSS.escape(kept.focus)}"]`);
    (named ?? linked)?.focus({ preventScroll: true });
  }
  const goal = kept.follows ? document.documentElement.scrollHeight : kept.scroll;
  // Not in vain: it would undo a scroll that has begun and that scripts do not see yet.
  if (window.scrollY !== goal) window.scrollTo(0, goal);
}

// Typing, marking words to copy them, or in the middle of a click: what was pressed must still be
// there to be let go.
function isAtWork() {
  if (pressed) return true;
  const active = document.activeElement;
  const marked = getSelection();
  const marks = !marked.isCollapsed && main.contains(marked.anchorNode);
  return marks || (main.contains(active) && active.matches("input, select, textarea"));
}

async function refresh() {
  if (busy || isAtWork()) return;
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    const html = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = html.querySelector("main");
    if (!found || found.innerHTML === main.dataset.shown || isAtWork()) return; // also begun meanwhile
    main.dataset.shown = found.innerHTML;
    const kept = remember();
    main.dataset.every = found.dataset.every;
    main.replaceChildren(...found.childNodes);
    restore(kept);
    offerCopies();
  } catch {
    light.hidden = true; // the stream below says when the hub is back
  } finally {
    busy = false;
  }
}

function press(event) {
  pressed = event.button !== MENU; // whose release the menu keeps to itself
}

function letGo() {
  pressed = false;
  soon(); // what came meanwhile
}

function soon() {
  clearTimeout(due);
  due = setTimeout(refresh, SOON_MS);
}

function offerCopies() {
  for (const text of main.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.className = "plain copy";
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard?.writeText(text.textContent.trim());
      button.textContent = "Copied";
      news.textContent = "Copied";
    });
    text.before(button);
  }
}

function follow() {
  const wanted = main.dataset.live.split(" ").filter(Boolean);
  if (wanted.length === 0) return;
  const stream = new EventSource("/live");
  stream.addEventListener("open", () => {
    light.hidden = false;
    soon();
  });
  stream.addEventListener("error", () => {
    light.hidden = true;
  });
  for (const kind of wanted) {
    stream.addEventListener(kind, () => {
      news.textContent = `New: ${kind}`;
      soon();
    });
  }
  main.addEventListener("pointerdown", press);
  for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, letGo);
  const again = () => setTimeout(() => refresh().then(again), Number(main.dataset.every) || AGAIN_MS);
  again();
}

offerCopies();
follow();
