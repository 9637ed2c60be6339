// Opens pages in a headless Chromium, one after another, and prints what they say: node drive.js PLAN.json
// PLAN: {playwright: its folder, chromium: the program, profile: a new folder,
//        cookies: [of context.addCookies], pages: [{url, seconds}]}
// A page has finished when its title begins with "done:"; the rest of the title is printed, a line for each page.
'use strict';
const plan = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8'));
const { chromium } = require(plan.playwright);

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--ignore-certificate-errors'];

// Cookies of third parties, which browsers have begun to block: here it is about what happens where they do not.
require('fs').mkdirSync(plan.profile + '/Default', { recursive: true });
require('fs').writeFileSync(plan.profile + '/Default/Preferences', JSON.stringify({
    profile: { cookie_controls_mode: 0, block_third_party_cookies: false } }));

(async () => {
    const context = await chromium.launchPersistentContext(plan.profile, {
        executablePath: plan.chromium, headless: true, args: flags, timeout: 60000, ignoreHTTPSErrors: true, serviceWorkers: 'allow',
    });
    try {
        if (plan.cookies.length) await context.addCookies(plan.cookies);
        const page = context.pages()[0] || await context.newPage();
        for (const step of plan.pages) {
            await page.goto(step.url, { timeout: 30000 });
            await page.waitForFunction(() => document.title.startsWith('done:'), null, { timeout: step.seconds * 1000 });
            console.log(await page.title());
        }
    } finally {
        await Promise.race([context.close(), new Promise(resolve => setTimeout(resolve, 5000))]);
    }
    process.exit(0);
})().catch(error => {
    console.error(String(error && error.stack || error));
    process.exit(1);
});
