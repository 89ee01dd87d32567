// The leads of leash's contract as a team would serve them in Node: @grpc/grpc-js and pg, on leash's own schema.
"use strict";

const cluster = require("node:cluster");
const path = require("node:path");

const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const pg = require("pg");

const { Known } = require("./known");
const { Leads } = require("./leads");

const { DATABASE_URL, LISTEN, POOL, WORKERS } = process.env;

async function serve() {
    // An integer of 64 bits as text, so that none is rounded.
    pg.types.setTypeParser(pg.types.builtins.INT8, (text) => text);
    // Times with their microseconds, which Date does not hold.
    pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => text);
    const size = Math.max(1, Math.floor(Number(POOL) / Number(WORKERS)));
    const pool = new pg.Pool({ connectionString: DATABASE_URL, min: size, max: size, idleTimeoutMillis: 0 });
    pool.on("connect", (client) => client.query("SET TIME ZONE 'UTC'"));

    const definition = loader.loadSync("moego/business/customer/v1/lead_service.proto", {
        includeDirs: [path.join(__dirname, "proto")],
        keepCase: true,
        longs: String,
        enums: Number,
        arrays: true,
    });
    const { LeadService } = grpc.loadPackageDefinition(definition).moego.business.customer.v1;
    const known = await Known.read(pool);
    const server = new grpc.Server();
    server.addService(LeadService.service, new Leads(pool, known).handlers());
    const port = await new Promise((resolve, reject) => {
        const credentials = grpc.ServerCredentials.createInsecure();
        server.bindAsync(LISTEN, credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
    process.on("SIGTERM", () => process.exit(0));
    process.send(port);
}

// A process for each processor, all on one port.
function start() {
    let waiting = Number(WORKERS);
    for (let worker = 0; worker < WORKERS; worker++) {
        cluster.fork().on("message", (port) => {
            waiting -= 1;
            if (waiting === 0) {
                console.log(`listening on 127.0.0.1:${port}`);
            }
        });
    }
    cluster.on("exit", () => process.exit(1));
    process.on("SIGTERM", () => process.exit(0));
}

if (cluster.isPrimary) {
    start();
} else {
    serve();
}
