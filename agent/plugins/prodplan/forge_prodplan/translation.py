"""A plan as PyJobShop models it, and CP-SAT's answers as schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ortools.sat.python import cp_model
from pyjobshop import Model, ScheduledTask, Solution
from pyjobshop.solvers.ortools import CPModel

from forge_prodplan.schedule import Schedule, Scheduled, occupied, sequence
from forge_shared.plans.document import longest_end
from forge_shared.plans.model import Machine, Mode, Plan


class Translation:
    """``data``: the plan in PyJobShop's words; ``model``: what CP-SAT is to solve."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._horizon = longest_end(plan)
        model = Model()
        self._machines = {
            each.id: model.add_machine(list(each.unavailable), name=each.id)
            for each in plan.machines
        }
        self._stocks = {
            each.id: (model.add_renewable if each.renewable else model.add_consumable)(
                each.capacity, name=each.id
            )
            for each in plan.resources
        }
        self._renewable = {each.id for each in plan.resources if each.renewable}
        self._numbers = {each.id: number for number, each in enumerate(plan.machines)}
        tasks = self._add_tasks(model)
        self._add_precedence(model, tasks)
        self._add_setups(model, tasks)
        model.set_objective(
            weight_makespan=plan.objective.makespan,
            weight_total_tardiness=plan.objective.weighted_tardiness,
        )
        self.data: Any = model.data()
        built = CPModel(self.data)
        self.model: Any = built.model
        self._variables: Any = built.variables
        self._modes = [self.data.task2modes(task) for task in range(self.data.num_tasks)]
        self._keep_setups_out_of_breaks()

    def schedule(self, value: Callable[[Any], int]) -> Schedule:
        """Return the schedule that the variables' values are."""
        variables = self._variables
        return tuple(
            Scheduled(
                next(place for place, mode in enumerate(modes) if value(variables.mode_vars[mode])),
                value(task.start),
                value(task.end),
            )
            for task, modes in zip(variables.task_vars, self._modes, strict=True)
        )

    def hint(self, schedule: Schedule) -> None:
        """Let the search start from a schedule, which must be a right one."""
        modes = [found[task.mode] for found, task in zip(self._modes, schedule, strict=True)]
        tasks = []
        for mode, task in zip(modes, schedule, strict=True):
            found = self.data.modes[mode]
            pause = task.end - task.start - found.duration
            tasks.append(ScheduledTask(mode, found.resources, task.start, task.end, 0, pause))
        self._variables.warmstart(Solution(self.data, tasks))
        self._mend_hinted_sequences(schedule)

    # --- the parts of the model ---------------------------------------------------------------

    def _add_tasks(self, model: Any) -> list[Any]:
        tasks = []
        tardy = self._plan.objective.weighted_tardiness > 0
        for job in self._plan.jobs:
            deadline = self._horizon if job.deadline is None else job.deadline
            added = model.add_job(
                weight=0 if job.due is None else job.weight,
                release_date=job.release,
                deadline=max(min(deadline, self._horizon), job.release),
                # PyJobShop wants one of each job as soon as tardiness counts.
                due_date=self._horizon if tardy and job.due is None else job.due,
                name=job.id,
            )
            for operation in job.operations:
                task = model.add_task(
                    added,
                    earliest_start=job.release,
                    latest_end=max(min(deadline, self._horizon), job.release),
                    allow_breaks=operation.pausable,
                    name=operation.id,
                )
                tasks.append(task)
                for mode in operation.modes:
                    self._add_mode(model, task, mode)
        return tasks

    def _add_mode(self, model: Any, task: Any, mode: Mode) -> None:
        machines = occupied(mode)
        demands = {
            name: amount
            for name, amount in (mode.demands or {}).items()
            if amount and (mode.duration or name not in self._renewable)
        }
        model.add_mode(
            task,
            [self._machines[name] for name in machines] + [self._stocks[name] for name in demands],
            mode.duration,
            [0] * len(machines) + list(demands.values()),
        )

    def _add_precedence(self, model: Any, tasks: list[Any]) -> None:
        by_name = {
            (job.id, operation.id): task
            for (job, operation), task in zip(self._plan.operations(), tasks, strict=True)
        }
        for (_, operation), task in zip(self._plan.operations(), tasks, strict=True):
            for after in operation.after:
                model.add_end_before_start(by_name[after.job, after.operation], task, after.lag)

    def _add_setups(self, model: Any, tasks: list[Any]) -> None:
        for machine in self._plan.machines:
            for before, after, time in self._setups(machine):
                model.add_setup_time(self._machines[machine.id], tasks[before], tasks[after], time)

    def _setups(self, machine: Machine) -> Iterator[tuple[int, int, int]]:
        """Yield the pairs of operations between which the machine must be set up, and how long."""
        times = machine.setup_times
        if times is None:
            return
        there = [
            (number, operation.family)
            for number, (_, operation) in enumerate(self._plan.operations())
            if operation.family is not None
            and any(machine.id in occupied(mode) for mode in operation.modes)
        ]
        for before, from_family in there:
            row = times.get(from_family or "", {})
            for after, to_family in there:
                time = row.get(to_family or "", 0)
                if time and before != after:
                    yield before, after, time

    def _keep_setups_out_of_breaks(self) -> None:
        """A set-up needs its machine right before the operation. PyJobShop only keeps the time
        between two operations, wherever the break is."""
        for machine in self._plan.machines:
            if not machine.unavailable:
                continue
            arcs = self._variables.sequence_vars[self._numbers[machine.id]].arcs
            allowed: dict[int, Any] = {}
            for before, after, time in self._setups(machine):
                if time not in allowed:
                    taken = [[start + 1, end + time - 1] for start, end in machine.unavailable]
                    allowed[time] = cp_model.Domain.from_intervals(taken).complement()
                self.model.add_linear_expression_in_domain(
                    self._variables.task_vars[after].start, allowed[time]
                ).only_enforce_if(arcs[before, after])

    def _mend_hinted_sequences(self, schedule: Schedule) -> None:
        """Hint that each operation follows the one right before it. PyJobShop hints that it follows
        all earlier ones, which no sequence does, and CP-SAT would have to repair that first."""
        hint = self.model.proto.solution_hint
        places = {variable: place for place, variable in enumerate(hint.vars)}
        for machine in self._plan.machines:
            found = self._variables.sequence_vars[self._numbers[machine.id]]
            order = sequence(self._plan, schedule, machine.id)
            follows = set(zip([found.DUMMY, *order], [*order, found.DUMMY], strict=True))
            there = set(order)
            for (before, after), arc in found.arcs.items():
                if before == after and before != found.DUMMY:
                    value = before not in there
                else:
                    value = (before, after) in follows
                hint.values[places[arc.index]] = int(value)
