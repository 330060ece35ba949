// The console: checkout on the left, what happens in the middle, faults on the right.

import { Activity } from "./activity.js";
import { Checkout } from "./checkout.js";
import { show } from "./faults.js";
import { Purchases } from "./purchases.js";

const activity = new Activity(new Purchases());
activity.follow(show);
new Checkout((attempt) => activity.record(attempt)).begin();
