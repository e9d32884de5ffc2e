// A promptfoo provider that gives the answers of questions.jsonl under its label, and fails at one of them.
const fs = require("fs");
const path = require("path");
const quiz = fs.readFileSync(path.join(__dirname, "questions.jsonl"), "utf8").trim().split("\n").map(JSON.parse);

module.exports = class Planted {
  constructor(options) {
    this.label = options.config.side;
    this.asked = {};
  }
  id() {
    return `planted:${this.label}`;
  }
  async callApi(prompt) {
    const row = quiz.find((one) => prompt.endsWith(one.question));
    const turn = (this.asked[row.id] = (this.asked[row.id] || 0) + 1);
    if (this.label === "candidate" && row.id === "ko-science-3" && turn === 2) {
      return { error: "응답 없음: the planted failure" };
    }
    return { output: row[this.label][turn - 1] };
  }
};
