"""Of every metric: how a suite writes it, and one line in Korean. What it means, its docstring says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from haetae.core.canonical import Json


@dataclass(frozen=True, slots=True)
class About:
    """`example` is a line of a suite file that makes the metric, `prompt` what a prompt that it names must use.

    `extras` are the optional parts that it needs, each with what of it needs them; with nothing for all of it.
    """

    example: Json
    korean: str | None = None
    prompt: str = "{{ output }}"
    extras: Mapping[str, str] = field(default_factory=dict)


_KOREAN = {"korean": "`tokenizer: korean` or `korean_content`"}


ABOUT: Mapping[str, About] = {
    "ann_recall": About(
        {"ann_recall": 10, "stage": "hnsw", "exact": "flat"}, "근사 검색이 정확한 검색의 상위 k개 중 찾아낸 비율."
    ),
    "answer_correctness": About("answer_correctness", "답과 기준 답의 주장 일치(F-베타)와 의미 유사도의 가중 평균."),
    "answer_relevancy": About("answer_relevancy", "답에서 거꾸로 만든 질문이 원래 질문과 얼마나 가까운지."),
    "best_of": About(
        {"best_of": "choose.md", "against": ["b.jsonl", "c.jsonl"]},
        "여러 답 가운데 심판이 이 답을 최고로 고른 비율.",
        prompt="{{ answers }}",
    ),
    "bleu": About("bleu", "기준 번역과 겹치는 n-그램 정밀도(sacrebleu), 0–100."),
    "chrf": About("chrf", "글자 n-그램 F-점수(sacrebleu), 0–100. 한국어처럼 어미가 바뀌는 말에 강하다."),
    "contains": About({"contains": ["환불", "refund"], "match": "any"}, "출력에 정해진 글이 들어 있으면 1, 아니면 0."),
    "context_precision": About("context_precision", "도움이 된 문맥이 앞쪽 순위에 있는지."),
    "context_recall": About("context_recall", "기준 답의 문장 중 문맥으로 뒷받침되는 비율."),
    "context_relevancy": About("context_relevancy", "질문에 필요한 것이 문맥에 얼마나 들어 있는지."),
    "cost_usd": About("cost_usd", "호출(또는 한 단계)에 든 미국 달러. 가격을 모르면 채점하지 않는다."),
    "dialogue": About(
        {"dialogue": "helpful.md", "by": "turn"},
        "대화 전체 또는 턴마다 심판이 매긴 점수.",
        prompt="{{ dialogue }}",
    ),
    "evaluate": About(
        {"evaluate": "metrics/polite", "value": "polite"},
        "허용된 폴더에 있는 Hugging Face evaluate 모듈을 돌린 값.",
        extras={"evaluate": ""},
    ),
    "exact_match": About("exact_match", "출력이 기준 답 중 하나와 똑같으면 1, 아니면 0."),
    "faithfulness": About("faithfulness", "답의 문장 중 문맥이 뒷받침하는 비율(환각 검사)."),
    "function": About(
        {"function": "checks:polite", "ending": "니다"},
        "내 프로젝트의 파이썬 함수에 `@haetae.metric`을 붙인 나만의 지표.",
    ),
    "g_eval": About(
        {"g_eval": "The answer is polite.", "scale": [1, 5]},
        "말로 쓴 기준을 단계로 풀고 토큰 확률로 가중한 심판의 점수.",
    ),
    "goal": About("goal", "대화가 끝났을 때 목표를 이루었는지, 0 또는 1."),
    "guard": About("guard/recall", "막아야 할 글과 지나갈 글을 가드가 얼마나 맞게 가르는지."),
    "guard_reach": About("guard_reach/rules", "가드의 한 단계까지 오는(또는 거기서 결정되는) 글의 비율."),
    "json_match": About("json_match", "출력 JSON이 기준 JSON과 같은지. 키 순서와 공백은 상관없다."),
    "json_schema": About(
        {"json_schema": {"type": "object", "required": ["name"]}}, "출력이 스키마에 맞는 JSON이면 1, 아니면 0."
    ),
    "json_valid": About("json_valid", "출력 전체가 올바른 JSON 하나이면 1, 아니면 0."),
    "judge": About({"judge": "polite.md", "scale": [1, 5]}, "루브릭으로 심판이 매긴 점수."),
    "jury": About(
        {"jury": "polite.md", "models": ["judge@1", "other@1", "third@1"]}, "심판 여럿의 평균 또는 다수결 점수."
    ),
    "latency_s": About("latency_s", "성공한 호출(또는 한 단계)에 걸린 초."),
    "length": About(
        {"length": "characters", "max": 200}, "출력의 길이. 한계를 주면 그 안에 드는지 0 또는 1.", extras=_KOREAN
    ),
    "not_contains": About({"not_contains": ["죄송", "as an AI"]}, "출력에 금지된 글이 하나도 없으면 1, 아니면 0."),
    "numeric": About({"numeric": "only", "relative": 0.01}, "출력의 수가 기준의 수와 허용 오차 안에서 같으면 1."),
    "pairwise": About(
        {"pairwise": "compare.md", "against": "old.jsonl"},
        "다른 답과 앞뒤 순서를 바꿔 가며 견준 승률. 엇갈리면 무승부.",
        prompt="{{ answers }}",
    ),
    "perplexity": About(
        "perplexity",
        "언어 모델이 글을 얼마나 뜻밖으로 여기는지. 낮을수록 좋다.",
        extras={"hf": "A `model` with the `path` of a folder"},
    ),
    "ragas": About("ragas/faithfulness", "고정된 버전의 ragas가 내는 값 그대로.", extras={"rag": ""}),
    "recorded": About({"recorded": "helpful", "scale": [0, 1]}, "기록된 출력과 함께 온, 다른 도구가 매긴 점수."),
    "regex": About({"regex": "^[0-9]{3}-[0-9]{4}$"}, "출력이 정규식에 맞으면 1(선형 시간 엔진)."),
    "retrieval": About(
        "retrieval/nDCG@10",
        "검색 순위의 품질: recall@k, precision@k, MRR, nDCG@k, MAP, 적중률.",
        extras={"retrieval": ""},
    ),
    "rouge": About(
        {"rouge": "L", "tokenizer": "korean"},
        "기준 요약과 겹치는 n-그램 또는 최장 공통 부분열의 F-점수.",
        extras=_KOREAN,
    ),
    "steps": About("steps", "에이전트의 단계 수."),
    "ter": About("ter", "기준 번역이 되도록 고쳐야 하는 편집 비율(sacrebleu). 낮을수록 좋다."),
    "token_f1": About("token_f1", "기준 답과 겹치는 토큰의 F1(SQuAD·KorQuAD).", extras=_KOREAN),
    "tokens": About("tokens", "호출에 쓴 토큰 수."),
    "tool_calls": About("tool_calls", "기대한 도구 호출을 얼마나 맞게 했는지: 정밀도, 재현율, F1."),
    "trajectory": About("trajectory/in_order", "도구 호출의 경로가 기대한 길과 맞는지, 0 또는 1."),
}
