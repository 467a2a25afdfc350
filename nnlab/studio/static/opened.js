/** The page's connection, which is opened while the rest of the page is still on its way. */

import { Connection } from './connection.js';

export const connection = new Connection();
