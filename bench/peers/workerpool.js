// workerpool.js - Node's workerpool, with child processes, with the tasks of stream.c.
//
//     NODE_PATH=.../node_modules node workerpool.js [tasks=N] [workers=N] [queue=N]
//
// The pool starts this file again as its worker.
'use strict';

let workerpool;
try {
    workerpool = require('workerpool');
} catch (error) {
    console.error(`workerpool.js: ${error.message.split("\n")[0]}`);
    process.exit(3);
}

const knobs = {tasks: 5000, workers: 2, queue: 4096};

async function stream() {
    const pool = workerpool.pool(__filename, {
        workerType: 'process', minWorkers: knobs.workers, maxWorkers: knobs.workers,
    });
    await Promise.all(Array.from({length: 8 * knobs.workers}, () => pool.exec('multiply', [1])));
    const waiting = [];
    let sum = 0;
    const begin = process.hrtime.bigint();
    for (let i = 0; i < knobs.tasks; i++) {
        if (i >= knobs.queue)
            sum += await waiting[i - knobs.queue];
        waiting.push(pool.exec('multiply', [i]));
    }
    for (let i = Math.max(0, knobs.tasks - knobs.queue); i < knobs.tasks; i++)
        sum += await waiting[i];
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    await pool.terminate();
    if (sum !== 3 * knobs.tasks * (knobs.tasks - 1) / 2)
        throw new Error('wrong sum');
    console.log(JSON.stringify({
        figure: 'stream', who: 'Node workerpool', value: knobs.tasks / seconds, unit: 'tasks/s',
    }));
}

if (process.send) {
    workerpool.worker({multiply: number => number * 3});
} else {
    for (const setting of process.argv.slice(2)) {
        const [name, value] = setting.split('=');
        if (!(name in knobs))
            throw new Error(`no setting '${name}'`);
        knobs[name] = Number(value);
    }
    stream();
}
