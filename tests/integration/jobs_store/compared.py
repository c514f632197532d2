"""What is compared of model and store: all that is of any account from now on."""

from __future__ import annotations

from typing import Any

from tests.integration.jobs_store.model import ENDED, PENDING, Model


def told(model: Model) -> tuple[dict[str, Any], dict[str, Any]]:
    jobs = {
        job.id: {
            "status": job.status.value,
            "attempt_count": job.attempts,
            "holder": model.attempts[job.lease].worker_id if job.lease else None,
            "node": model.attempts[job.lease].node_id if job.lease else None,
            "lease": job.lease,
            "available_at": job.available_at,
            "rank": job.rank,
            "cancel_requested": job.cancel_requested,
            "finished": job.status in ENDED,
            "uploading": job.is_uploading,
            "in_lane": job.status is PENDING,
        }
        for job in model.jobs.values()
    }
    attempts = {
        attempt.lease: {
            "job": attempt.job_id,
            "number": attempt.number,
            "worker": attempt.worker_id,
            "node": attempt.node_id,
            "class": attempt.resource_class.value,
            "claim": attempt.claim_id,
            "outcome": None if attempt.outcome is None else attempt.outcome.value,
            "reply": None if attempt.reply is None else (attempt.reply[0].value, attempt.reply[1]),
            "by_result": attempt.told is not None,
            # What is of no account any more once it has ended.
            "heard": attempt.heard and attempt.is_live,
            "saved": attempt.saved and attempt.is_live,
            "expires": attempt.expires if attempt.is_live else None,
            "started": attempt.started if attempt.is_live else None,
            "progress": attempt.progress if attempt.is_live else None,
        }
        for attempt in model.attempts.values()
    }
    return jobs, attempts


def in_model_terms(jobs: list[Any], attempts: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        {
            row[0]: {
                "status": row[1],
                "attempt_count": row[2],
                "lease": row[3],
                "holder": row[4],
                "node": row[5],
                "available_at": row[6],
                "rank": row[7],
                "cancel_requested": row[8] is not None,
                "finished": row[9] is not None,
                "uploading": row[10] == 1,
                "in_lane": bool(row[11]),
            }
            for row in jobs
        },
        {
            row[0]: {
                "job": row[1],
                "number": row[2],
                "worker": row[3],
                "node": row[4],
                "class": row[5],
                "claim": row[6],
                "heard": bool(row[7]) and row[11] is None,
                "saved": bool(row[16]) and row[11] is None,
                "expires": row[8] if row[11] is None else None,
                "started": row[9] if row[11] is None else None,
                "progress": row[10] if row[11] is None else None,
                "outcome": row[12],
                "reply": None if row[13] is None else (row[13], row[14]),
                "by_result": row[15] is not None,
            }
            for row in attempts
        },
    )
