"""Jobs come, some again, some with a payload that follows."""

from __future__ import annotations

from random import Random

from hypothesis.stateful import precondition, rule

from forge_collector.jobs.store import Submission, Submitted
from forge_shared.job_messages import JobSubmission
from tests.integration.jobs_store.life.drawing import DIGEST, a_submission, seeds
from tests.integration.jobs_store.life.life import Life, has_jobs
from tests.integration.jobs_store.store_process import Unit


def has_upload(life: Life) -> bool:
    return bool(any(job.is_uploading for job in life.model.jobs.values()))


class Submitting(Life):
    @rule(seed=seeds)
    def submit(self, seed: int) -> None:
        random = self.random(seed)
        self._submit(self.uuid(), a_submission(random, self.wall_ms), "me", random)

    @precondition(has_jobs)
    @rule(seed=seeds)
    def submit_again(self, seed: int) -> None:
        random = self.random(seed)
        job_id = random.choice(list(self.model.jobs))
        submitter = random.choice(["me", "me", "you"])
        self._submit(job_id, a_submission(random, self.wall_ms), submitter, random)

    def _submit(self, job_id: str, wanted: JobSubmission, submitter: str, random: Random) -> None:
        self.wall_ms += 1  # so that ranks differ, as they mostly do
        unit = Unit("submit", (Submission(job_id, wanted, submitter, "Me"), self.at))
        after = self.model.copy()
        expected = after.submit(job_id, wanted, submitter, self.now)
        answer = self.answered(unit, after, random)
        if answer is None:
            return
        if isinstance(expected, str):
            assert answer.refusal == expected
            return
        submitted: Submitted = answer.value
        reply = submitted.reply
        assert (reply.id, reply.status, reply.deduplicated) == expected
        assert (submitted.change is None) == reply.deduplicated

    @precondition(has_upload)
    @rule(seed=seeds)
    def upload(self, seed: int) -> None:
        random = self.random(seed)
        uploading = [job.id for job in self.model.jobs.values() if job.is_uploading]
        job_id = random.choice(uploading)
        self.store.run(Unit("begin_file", (job_id, "payload", DIGEST, None, self.at)))
        is_whole = random.random() < 0.7
        received = () if is_whole else (1,)
        unit = "finish_file" if is_whole else "note_received"
        self.store.run(Unit(unit, (job_id, "payload", DIGEST.sha256, *received, self.at)))
        self.model.uploaded(job_id, self.now, is_whole=is_whole)
