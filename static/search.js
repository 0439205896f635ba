// Results while one types: the page's own results, fetched again and put in their place. Without this
// module the form works as it stands.
const field = document.getElementById("search");
const form = field?.form;
const pause = 180; // milliseconds after the last key

let timer = 0;
let asking = null;

// A fragment of our own page, element by element, so that nothing is parsed as HTML here.
function adopt(node) {
  return document.importNode(node, true);
}

async function ask() {
  const url = new URL(form.action);
  url.search = new URLSearchParams(new FormData(form)).toString();
  asking?.abort();
  asking = new AbortController();
  try {
    const page = await load(url, asking.signal);
    const found = page?.getElementById("search-results");
    if (!found) return;
    document.getElementById("search-results").replaceChildren(...[...found.childNodes].map(adopt));
    const root = document.querySelector("[data-mail]");
    root.dataset.list = url.pathname + url.search;
    history.replaceState(null, "", url);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

// XMLHttpRequest builds the document itself: no string becomes markup, as Trusted Types want it.
function load(url, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.onload = () => resolve(request.status === 200 ? request.response : null);
    request.onerror = () => resolve(null);
    signal.addEventListener("abort", () => {
      request.abort();
      reject(new DOMException("superseded", "AbortError"));
    });
    request.send();
  });
}

field?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(ask, pause);
});
