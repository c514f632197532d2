"""Why a plan has no schedule, by the names that are reported."""

from __future__ import annotations


class PlanError(Exception):
    """``code``: for programs. ``retryable``: another attempt may do better."""

    code = "failed"
    retryable = True


class MalformedPayloadError(PlanError):
    code = "malformed_plan"
    retryable = False


class InfeasiblePlanError(PlanError):
    """It is proved that there is no schedule."""

    code = "infeasible_plan"
    retryable = False


class NoSolutionInTimeError(PlanError):
    code = "no_solution_in_time"


class SolverError(PlanError):
    """The solver itself failed."""

    code = "solver_failed"


class NoSolverError(PlanError):
    """It is not installed on this machine; it may be on another."""

    code = "no_solver"
