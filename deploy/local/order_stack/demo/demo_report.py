"""What the demo shows: topics, jobs, integration log and webhooks, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from order_operations.consumers.progress import TopicLag
from order_stack.submit.gateway_client import Answer
from order_stack.submit.job_progress import settled, stage

STATUS_STYLE = {
    "Completed": "green",
    "CompletedWithErrors": "yellow",
    "Failed": "red",
    "Accepted": "cyan",
}
FLOW = (
    "[bold]HTTP[/] → [cyan]gateway[/] → orders.commands → [cyan]order-writer[/] → orders.events → "
    "[cyan]enricher[/] → orders.actions → [cyan]action-trigger[/] → [bold]webhook[/]"
)


@dataclass(slots=True)
class DemoProgress:
    """What has happened so far; drawn again and again while the orders flow."""

    total: int
    answers: list[Answer] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    topics: Mapping[str, TopicLag] = field(default_factory=dict)
    webhooks: int = 0

    def answered(self, answer: Answer, total: int) -> None:
        self.total = total
        self.answers.append(answer)

    def job_seen(self, job: dict[str, Any], _: int) -> None:
        self.jobs[job["jobId"]] = job

    def __rich__(self) -> RenderableType:
        settled_jobs = sum(map(settled, self.jobs.values()))
        line = (
            f"{len(self.answers)} of {self.total} orders answered, "
            f"{settled_jobs} jobs settled, {self.webhooks} webhooks received"
        )
        beside = Table.grid(padding=(0, 4))
        beside.add_row(topics(self.topics), jobs(self.answers, tuple(self.jobs.values())))
        return Group(Text.from_markup(FLOW), Text(line, style="dim"), "", beside)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column)
    return table


def _row(table: Table, *cells: Text | str) -> None:
    """Add a row; texts are shown as they are, never read as markup."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def topics(lags: Mapping[str, TopicLag]) -> Table:
    table = _table("Topics", "Topic", "Records", "Read by")
    table.columns[1].justify = "right"
    for name, topic in lags.items():
        readers = (
            f"{group}: {f'{lag} to go' if lag else 'all'}" for group, lag in topic.lag.items()
        )
        _row(table, name, str(topic.records), ", ".join(readers))
    return table


def jobs(answers: Sequence[Answer], followed: Sequence[Mapping[str, Any]]) -> Table:
    """Return the jobs by status and stage of their action, and the answers that named no job."""
    table = _table("Jobs", "Status", "Action", "Count")
    table.columns[2].justify = "right"
    states = Counter((str(job["status"]), stage(job, "action") or "") for job in followed)
    for (status, action), count in sorted(states.items()):
        _row(table, Text(status, STATUS_STYLE.get(status, "")), action, str(count))
    refused = Counter(answer.status for answer in answers if not answer.accepted)
    for code, count in sorted(refused.items(), key=str):
        _row(table, Text(f"refused at once: {code or 'no answer'}", "red"), "", str(count))
    return table


def refusals(answers: Sequence[Answer]) -> Table:
    table = _table("Refused at once", "Line", "Status", "Why")
    for answer in answers:
        if not answer.accepted:
            _row(table, str(answer.line), str(answer.status or "none"), _why(answer.body))
    return table


def _why(problem: Any) -> str:
    """Return the errors of a problem, each with its pointer, or whatever it says."""
    if not isinstance(problem, dict):
        return str(problem)
    errors = problem.get("errors") or ()
    found = "; ".join(f"{it.get('pointer')} {it.get('message')}" for it in errors)
    return found or str(problem.get("detail") or problem.get("title"))


def integration_log(entries: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Integration log", "Severity", "Code", "Order", "Reference", "Proposed action")
    for entry in entries:
        _row(
            table,
            Text(str(entry.get("severity")), "yellow"),
            str(entry.get("code")),
            str(entry.get("orderId") or ""),
            str(entry.get("reference") or ""),
            str(entry.get("proposedAction") or ""),
        )
    return table


def webhooks(received: Sequence[Mapping[str, Any]]) -> Table:
    title = "Webhooks that the automation trigger received"
    table = _table(title, "Received at", "Action", "Order", "Language", "Contact", "Signature")
    for item in received:
        data = item["body"]["data"] if item["verified"] else {}
        _row(
            table,
            str(item["at"])[11:23],
            str(data.get("action", "")),
            str((data.get("order") or {}).get("orderId", "")),
            str(data.get("language") or ""),
            str(data.get("contactId", "")),
            Text("verified", "green") if item["verified"] else Text("NOT VERIFIED", "bold red"),
        )
    return table
