"use strict";

// A form that asks for something to be done; its id is what for, and its words for what came of it stand beside it.
const form = document.querySelector("form[data-refused]");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const outcome = document.getElementById("outcome");
  button.disabled = true;
  outcome.textContent = form.dataset.asking;
  const request = { method: "POST", headers: { "X-Ringg-Action": form.id, Accept: "application/json" } };
  const fields = Object.fromEntries(new FormData(form));
  if (Object.keys(fields).length) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(fields);
  }
  try {
    const answer = await fetch(form.action, request);
    if (answer.ok) {
      // What is true now is on the page itself.
      location.reload();
      return;
    }
    outcome.textContent = `${form.dataset.refused}: ${(await answer.json()).detail}`;
  } catch {
    outcome.textContent = form.dataset.unknown;
  }
  button.disabled = false;
});
