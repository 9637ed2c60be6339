// The page works without this: forms then open the server's answer, and text is copied by hand.
'use strict';

for (const pre of document.querySelectorAll('article pre')) {
    const button = document.createElement('button');
    button.textContent = 'Copy';
    button.className = 'copy';
    button.addEventListener('click', async () => {
        try {
            await navigator.clipboard.writeText(pre.textContent);
            button.textContent = 'Copied';
        } catch {                               // not at localhost: mark it, to be copied by hand
            getSelection().selectAllChildren(pre);
            button.textContent = 'Marked';
        }
        setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    });
    pre.before(button);
}

const reply = document.getElementById('reply');
for (const form of document.forms) {
    form.addEventListener('submit', async event => {
        event.preventDefault();
        const path = new URL(form.action).pathname;
        let text;
        try {
            const response = await fetch(path, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
            text = `${response.status} ${response.statusText}\n`
                + JSON.stringify(JSON.parse(await response.text()), null, 2);
        } catch (error) {
            text = String(error);
        }
        reply.textContent = `POST ${path}\n${text}`;
        reply.hidden = false;
        reply.scrollIntoView({ block: 'nearest' });
    });
}
