"""What an order lacks, as entries of the integration log: at most MAX_ENTRIES of a job and code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from enricher.domain.linking import ARTICLE_MISSING
from enricher.domain.model import ContactLink, Decision
from order_contracts.events import Missing
from order_contracts.integration_log import MAX_ENTRIES


def with_named_articles(link: ContactLink) -> ContactLink:
    """Return a new *link* that says which of the missing articles the log names."""
    if len(_articles(link.missing)) <= MAX_ENTRIES:
        return link
    return replace(link, named_articles=MAX_ENTRIES - 1)


def with_articles_left(before: ContactLink, healed: ContactLink) -> ContactLink:
    """Return *healed*, of which fewer articles are missing, with those that the log names."""
    if before.named_articles is None:
        return healed
    left = _articles(healed.missing)
    still_named = len(set(_articles(before.missing)[: before.named_articles]).intersection(left))
    return replace(healed, named_articles=None if still_named == len(left) else still_named)


def log_missing(decision: Decision, link: ContactLink) -> Decision:
    """Return *decision* with the entries that say what *link* lacks, before its others."""
    if not link.missing:
        return decision
    entries = tuple(_named(link))
    unnamed = len(link.missing) - len(entries)
    return replace(decision, log=entries + decision.log, unnamed_articles=unnamed)


def lacks_unnamed_articles(link: ContactLink) -> bool:
    return link.named_articles is not None


def _named(link: ContactLink) -> Iterator[Missing]:
    named = set(_articles(link.missing)[: link.named_articles])
    return (it for it in link.missing if it.code != ARTICLE_MISSING or it in named)


def _articles(missing: Iterable[Missing]) -> Sequence[Missing]:
    return [it for it in missing if it.code == ARTICLE_MISSING]
