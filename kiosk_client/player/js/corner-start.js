/** For the still pages, which have no other script. */

import { watchCorners } from './corner.js'

watchCorners()
