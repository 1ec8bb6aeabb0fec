"use strict";

const form = document.getElementById("stop");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const outcome = document.getElementById("outcome");
  button.disabled = true;
  outcome.textContent = "Asking the platform …";
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "X-Ringg-Action": "stop", Accept: "application/json" },
    });
    if (answer.ok) {
      // What the platform says now is on the page itself.
      location.reload();
      return;
    }
    outcome.textContent = `Not stopped: ${(await answer.json()).detail}`;
  } catch {
    outcome.textContent = "Whether it was stopped is not known: there was no answer. Reload the page to see.";
  }
  button.disabled = false;
});
