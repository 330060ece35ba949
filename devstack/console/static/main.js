// The console: the checkout on the left, the purchases in the middle, the faults on the right.

import { Activity } from "./activity.js";
import { Checkout } from "./checkout.js";
import { showFaults } from "./faults.js";

const activity = new Activity();
activity.follow(showFaults);
new Checkout((attempt) => activity.record(attempt)).begin();
