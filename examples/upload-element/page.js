// With a bundler: import "sluice/element".
import "./sluice/element/index.js";

const heard = document.querySelector("#heard");
for (const type of ["sluice-accepted", "sluice-searchable", "sluice-failed"]) {
  document.addEventListener(type, ({ detail }) => {
    const line = document.createElement("li");
    line.textContent = `${type}: ${detail.document_id ?? detail.filename} ${detail.message ?? detail.status}`;
    heard.append(line);
  });
}
