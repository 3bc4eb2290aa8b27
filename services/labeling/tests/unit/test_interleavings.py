"""Any interleaving of flags, requests, leases, renewals, skips, answers, expiries, reviews and revocations keeps what
labeling promises.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from labeling_values import CLASSES, LABEL_SET, NOW, POLICY, flag, request, whole, whole_answer

from relearn_labeling.domain.answers import decide, is_abandoned, submit
from relearn_labeling.domain.budgets import Used, check_answer, check_lease
from relearn_labeling.domain.consensus import consensus
from relearn_labeling.domain.errors import (
    AnswersPerAnnotator,
    AnswersPerDay,
    LeaseExpired,
    OwnAnswer,
    TaskClosed,
    TaskNotAssigned,
)
from relearn_labeling.domain.facts import Accepted, Answered, Disputed, Fact, Superseded
from relearn_labeling.domain.flags import flag_task
from relearn_labeling.domain.requests import request_label
from relearn_labeling.domain.reviews import Rejection, Review, Verdict, doubt, has_answered, review
from relearn_labeling.domain.revocations import Revocation, revoke
from relearn_labeling.domain.slots import can_lease, expire_leases, free_slots, lease_task, renew_lease, return_task
from relearn_labeling.domain.tasks import LabelTask, Policy, SkipReason, Source, State, Stream, Truth

ANNOTATORS = st.sampled_from([f"annotator-{i}" for i in range(6)])
REVIEWERS = st.sampled_from(["annotator-0", "rita"])
SAMPLES = st.sampled_from(["a", "b", "c"])
OVERLAPS = st.integers(1, 5)
PATIENCE = timedelta(minutes=10)
ASKS_MORE = Policy(most_overlap=4)
BY_POSTERIOR = Policy(truth=Truth.DAWID_SKENE, most_overlap=4)
CAPS = Policy(answers_per_day=9, answers_per_annotator=2)


class Labeling(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOW
        self.tasks: dict[str, LabelTask] = {}
        self.flags = 0
        self.answers = 0
        self.told: dict[str, list[Fact]] = {}
        self.widest: dict[str, int] = {}
        self.policy = POLICY

    @initialize(policy=st.sampled_from([POLICY, ASKS_MORE, BY_POSTERIOR]))
    def chosen(self, policy: Policy) -> None:
        self.policy = policy

    def keep(self, task: LabelTask, facts: tuple[Fact, ...]) -> None:
        self.tasks[task.sample_id] = task
        self.told.setdefault(task.sample_id, []).extend(facts)

    def given(self) -> list[str]:
        """Who gave the answers that budgets count: one given again after a rejection is no further one."""
        pairs = {(t.id, one.annotator) for t in self.tasks.values() for one in (*t.annotations, *t.withdrawn)}
        return [annotator for _, annotator in pairs]

    def used(self, annotator: str) -> Used:
        answers = self.given()
        leases = [one.annotator for task in self.tasks.values() for one in task.live_leases(self.now)]
        return Used(
            answers=len(answers),
            live_leases=len(leases),
            own_answers=answers.count(annotator),
            own_leases=leases.count(annotator),
        )

    def of(self, sample: str) -> LabelTask | None:
        return self.tasks.get(f"clothes/sample/{sample}")

    @rule(sample=SAMPLES, stream=st.sampled_from(Stream), overlap=OVERLAPS, again=st.booleans())
    def flagged(self, sample: str, stream: Stream, overlap: int, again: bool) -> None:
        self.flags += 1
        policy = Policy(overlap_selected=overlap, overlap_audit=overlap, overlap_disagreement=overlap)
        one = flag(self.flags, stream, sample=sample)
        self.widest[one.sample_id] = max(overlap, self.widest.get(one.sample_id, 1))
        self.keep(*flag_task(self.of(sample), one, label_set_version=1, policy=policy, now=self.now))
        if again:
            known = self.of(sample)
            assert flag_task(known, one, label_set_version=1, policy=policy, now=self.now) == (known, ())

    @rule(sample=SAMPLES, overlap=OVERLAPS, source=st.sampled_from(Source))
    def requested(self, sample: str, overlap: int, source: Source) -> None:
        self.flags += 1
        one = request(self.flags, source=source, sample=sample)
        self.widest[one.sample_id] = max(overlap, self.widest.get(one.sample_id, 1))
        self.keep(*request_label(self.of(sample), one, label_set_version=1, overlap=overlap, now=self.now))
        known = self.of(sample)
        assert request_label(known, one, label_set_version=1, overlap=15, now=self.now) == (known, ())

    @rule(sample=SAMPLES, annotator=ANNOTATORS)
    def renewed(self, sample: str, annotator: str) -> None:
        task = self.of(sample)
        if task is not None and any(lease.annotator == annotator for lease in task.live_leases(self.now)):
            self.keep(renew_lease(task, annotator, duration=timedelta(seconds=120), now=self.now)[0], ())

    @rule(sample=SAMPLES, names=st.sets(ANNOTATORS, max_size=3))
    def assigned(self, sample: str, names: set[str]) -> None:
        if (task := self.of(sample)) is not None:
            self.keep(replace(task, assigned_to=tuple(sorted(names))), ())

    @rule(sample=SAMPLES, annotator=ANNOTATORS)
    def asked(self, sample: str, annotator: str) -> None:
        task = self.of(sample)
        if task is not None and can_lease(task, annotator, self.now):
            try:
                check_lease(self.used(annotator), CAPS, project_id="clothes")
            except (AnswersPerDay, AnswersPerAnnotator):
                return
            self.keep(lease_task(task, annotator, duration=timedelta(seconds=120), now=self.now)[0], ())

    @rule(sample=SAMPLES, annotator=ANNOTATORS, text=st.sampled_from(CLASSES))
    def answered(self, sample: str, annotator: str, text: str) -> None:
        task = self.of(sample)
        if task is None:
            return
        self.answers += 1
        answer = whole_answer(annotator, text)
        ids = {"annotation_id": f"annotation-{self.answers}", "label_id": f"label-{self.answers}"}
        held = any(lease.annotator == annotator for lease in task.live_leases(self.now))
        again = task.rejected_of(annotator) is not None
        try:
            task, _, facts = submit(task, answer, label_set=LABEL_SET, policy=self.policy, now=self.now, **ids)
        except (TaskClosed, TaskNotAssigned, LeaseExpired):
            assert not held
        else:
            assert held
            if not again:
                check_answer(self.used(annotator), CAPS, project_id="clothes")  # the lease has reserved it
            self.keep(task, facts)

    @rule(sample=SAMPLES, annotator=ANNOTATORS, reason=st.sampled_from([None, *SkipReason]))
    def gave_back(self, sample: str, annotator: str, reason: SkipReason | None) -> None:
        task = self.of(sample)
        if task is not None and any(lease.annotator == annotator for lease in task.live_leases(self.now)):
            self.keep(*return_task(task, annotator, now=self.now, reason=reason))

    @rule(seconds=st.integers(1, 300))
    def time_passed(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(sample=SAMPLES)
    def leases_swept(self, sample: str) -> None:
        if (task := self.of(sample)) is not None:
            self.keep(expire_leases(task, self.now), ())

    @precondition(lambda self: self.tasks)
    @rule(sample=SAMPLES)
    def nobody_was_left(self, sample: str) -> None:
        self.now += PATIENCE
        task = self.of(sample)
        if task is not None and is_abandoned(task, seen=(), patience=PATIENCE, now=self.now):
            self.answers += 1
            label_id = f"label-{self.answers}"
            self.keep(*decide(task, label_set=LABEL_SET, policy=self.policy, label_id=label_id, now=self.now))

    @rule(sample=SAMPLES, reviewer=REVIEWERS, text=st.sampled_from(CLASSES))
    def reviewed(self, sample: str, reviewer: str, text: str) -> None:
        if (task := self.of(sample)) is not None and task.state is not State.OPEN:
            self.said(task, reviewer, Verdict(regions=(whole(text),), annotation_id=""))

    @rule(sample=SAMPLES, reviewer=REVIEWERS, which=st.integers(0, 4))
    def refused(self, sample: str, reviewer: str, which: int) -> None:
        if (task := self.of(sample)) is not None and task.state is not State.OPEN and task.annotations:
            refused = task.annotations[which % len(task.annotations)]
            self.said(task, reviewer, Rejection(annotation_ids=(refused.id,), reason="no"))

    def said(self, task: LabelTask, reviewer: str, verdict: Verdict | Rejection) -> None:
        seen = frozenset(one.id for one in task.annotations)
        said = Review(reviewer=reviewer, annotation_ids=seen, verdict=verdict)
        self.answers += 1
        ids = (f"label-{self.answers}", f"again-{self.answers}")
        try:
            reviewed, facts = review(task, said, label_set=LABEL_SET, policy=self.policy, new_ids=ids, now=self.now)
        except OwnAnswer:
            assert has_answered(task, reviewer)
        else:
            assert not has_answered(task, reviewer)
            assert doubt(reviewed) is None
            self.keep(reviewed, facts)

    @rule(annotator=ANNOTATORS)
    def revoked(self, annotator: str) -> None:
        self.answers += 1
        revocation = Revocation(
            id=f"revocation-{self.answers}",
            project_id="clothes",
            annotator=annotator,
            reason="at random",
            since=NOW,
            person="mia",
            created_at=self.now + timedelta(seconds=1),
        )
        for task in list(self.tasks.values()):
            ids = {"label_id": f"label-{self.answers}-{task.id}"}
            done = revoke(task, revocation, label_set=LABEL_SET, policy=self.policy, now=self.now, **ids)
            self.keep(done.task, done.facts)
            assert not any(one.annotator == annotator for one in done.task.annotations)
            assert not can_lease(done.task, annotator, self.now) or not has_answered(task, annotator)
            again = revoke(done.task, revocation, label_set=LABEL_SET, policy=self.policy, now=self.now, **ids)
            assert (again.task, again.facts, again.answers) == (done.task, (), 0)

    @invariant()
    def caps_are_never_exceeded(self) -> None:
        answers = self.given()
        assert len(answers) <= CAPS.answers_per_day
        assert all(answers.count(annotator) <= (CAPS.answers_per_annotator or 0) for annotator in answers)

    @invariant()
    def slots_are_never_shared(self) -> None:
        for task in self.tasks.values():
            used = [a.slot for a in task.annotations] + [lease.slot for lease in task.live_leases(self.now)]
            assert len(used) == len(set(used))
            assert len(used) + len(free_slots(task, self.now)) == task.overlap
            assert all(1 <= slot <= task.overlap for slot in used)

    @invariant()
    def nobody_is_asked_more_than_a_reason_or_the_policy_wants(self) -> None:
        for task in self.tasks.values():
            assert task.overlap <= max(self.widest.get(task.sample_id, 1), self.policy.most_overlap or 0)

    @invariant()
    def nobody_answers_twice(self) -> None:
        for task in self.tasks.values():
            annotators = [a.annotator for a in task.annotations] + [x.annotator for x in task.live_leases(self.now)]
            assert len(annotators) == len(set(annotators))

    @invariant()
    def a_settled_task_has_told_every_flag_and_an_open_one_waits_for_an_answer(self) -> None:
        for task in self.tasks.values():
            if task.state is State.OPEN:
                assert task.waiting
                assert len(task.annotations) < task.overlap
            else:
                assert not task.waiting
                assert not task.leases

    @invariant()
    def outcomes_are_told_in_order_and_the_last_one_holds(self) -> None:
        for sample_id, task in self.tasks.items():
            outcomes = [fact for fact in self.told[sample_id] if isinstance(fact, Accepted | Disputed)]
            assert [fact.task.revision for fact in outcomes] == list(range(1, task.revision + 1))
            if task.state is State.ACCEPTED:
                assert isinstance(outcomes[-1], Accepted)
                assert task.label is not None
                if not task.label.reviewer:
                    found = consensus(task.annotations, label_set=LABEL_SET, policy=self.policy)
                    assert found is not None
                    assert found.regions == task.label.regions
                assert set(task.label.annotation_ids) <= {a.id for a in task.annotations}
            if task.state is State.DISPUTED:
                assert isinstance(outcomes[-1], Disputed)

    @invariant()
    def every_label_is_new_once_and_replaced_at_most_once(self) -> None:
        for sample_id in self.tasks:
            current: str | None = None
            for fact in self.told[sample_id]:
                if isinstance(fact, Superseded):
                    assert fact.label_id == current
                    current = fact.by_label_id
                if isinstance(fact, Accepted):
                    assert fact.repeated == (fact.label.id == current and not _just_superseded(self, fact))
                    current = fact.label.id

    @invariant()
    def every_answer_is_told_once(self) -> None:
        for sample_id, task in self.tasks.items():
            told = [fact.annotation.id for fact in self.told[sample_id] if isinstance(fact, Answered)]
            kept = [annotation.id for annotation in (*task.annotations, *task.withdrawn)]
            assert sorted(told) == sorted(kept)

    @invariant()
    def a_label_rests_on_a_reviewer_or_on_an_answer_that_counts(self) -> None:
        for task in self.tasks.values():
            if task.label is not None and not task.label.reviewer:
                assert {one.id for one in task.annotations} & set(task.label.annotation_ids)


def _just_superseded(machine: Labeling, fact: Accepted) -> bool:
    facts = machine.told[fact.task.sample_id]
    before = facts[facts.index(fact) - 1] if facts.index(fact) else None
    return isinstance(before, Superseded) and before.by_label_id == fact.label.id


Labeling.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestInterleavings = Labeling.TestCase
