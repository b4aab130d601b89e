// The tests put the tools on PATH. A job that may ask for a token is told which it is: act says so in no token.
const fs = require("fs");
const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ENVIRONMENT, GITHUB_ENV, GITHUB_EVENT_PATH, GITHUB_JOB } = process.env;
if (url && !url.includes("&job=")) {
  const environment = (JSON.parse(fs.readFileSync(GITHUB_EVENT_PATH)).inputs || {}).environment || ENVIRONMENT || "";
  fs.appendFileSync(GITHUB_ENV, `ACTIONS_ID_TOKEN_REQUEST_URL=${url}&job=${GITHUB_JOB}&environment=${environment}\n`);
}
