// better-auth with its sessions in MySQL, a process a core. "server.js migrate" makes the tables.
import cluster from "node:cluster";
import http from "node:http";
import { betterAuth } from "better-auth";
import { toNodeHandler } from "better-auth/node";
import { createPool } from "mysql2/promise";

const port = Number(process.env.BENCH_PORT);
const options = {
    database: createPool({
        socketPath: process.env.BENCH_SOCKET,
        user: process.env.BENCH_USER,
        password: process.env.BENCH_PASSWORD,
        database: process.env.BENCH_DATABASE,
        connectionLimit: 10,
        timezone: "Z",
    }),
    baseURL: `http://127.0.0.1:${port}`,
    secret: "bench-0123456789abcdef0123456789abcdef",
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { level: "error" },
};

if (process.argv[2] === "migrate") {
    const { getMigrations } = await import("better-auth/db/migration");
    const { runMigrations } = await getMigrations(options);
    await runMigrations();
    process.exit(0);
} else if (cluster.isPrimary) {
    for (let i = 0; i < Number(process.env.BENCH_WORKERS); i++) cluster.fork();
} else {
    const server = http.createServer(toNodeHandler(betterAuth(options)));
    server.keepAliveTimeout = 30000;
    server.listen(port, "127.0.0.1");
}
