// A run starts: its plan is free of problems and said to the user, the gate is open, the output folder ready.

include { BEGIN } from '../../modules/common/begin'

workflow START {
    take:
    planned                                     // the planner's folder
    inputs                                      // map: max_inflight, go_on, keep
    outdir                                      // where results are kept

    main:
    agreed = planned.map { folder ->
        def plan = Plan.read(folder)
        def problems = plan.problems ?: Places.faults(plan.folders)
        if( problems )
            error "nothing was started, because of\n  ${problems.join('\n  ')}"
        log.info plan.text
        Gate.open(Plan.slots(inputs.max_inflight, plan.batch_bytes, workflow.workDir), plan.batch_bytes, inputs.go_on)
        WorkFolders.open(inputs.keep)
        return plan
    }
    plan = agreed.combine(BEGIN(agreed.map { all -> all.folder }, outdir))
        .map { all, begun ->
            Json.read(begun).lines.each { line -> log.info line }
            return all
        }
        .first()                                // every batch reads it

    emit:
    plan                                        // value: plan.json as a map, and `folder`, where it lies
}
