// Shows a token to the console once; the answer's cookie stands for it from then on.
"use strict";

document.getElementById("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = document.getElementById("token");
  const said = document.getElementById("said");
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Chimera-Console": "1" },
      body: JSON.stringify({ token: field.value }),
    });
    field.value = "";
    if (answer.ok) location.replace("/");
    else said.textContent = (await answer.json()).message;
  } catch {
    said.textContent = "The console did not answer.";
  }
});
