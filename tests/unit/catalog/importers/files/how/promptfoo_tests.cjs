// The quiz as promptfoo test cases: two named metrics, and two assertions without a name.
const fs = require("fs");
const path = require("path");
const quiz = fs.readFileSync(path.join(__dirname, "questions.jsonl"), "utf8").trim().split("\n").map(JSON.parse);

module.exports = () =>
  quiz.map((row) => ({
    description: row.id,
    vars: { question: row.question, language: row.language },
    metadata: { topic: row.topic },
    assert: [
      { type: "equals", value: row.answer, metric: "correct" },
      { type: "levenshtein", value: row.answer, threshold: 1 },
      { type: "javascript", value: `Math.min(output.length, ${row.answer.length}) / Math.max(output.length, ${row.answer.length})`, threshold: 0.5, metric: "length" },
      { type: "javascript", value: "output.length < 20" },
    ],
  }));
