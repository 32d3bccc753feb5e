/** SQL over landed files, for the command line: it looks at a lake from outside and needs no server. */
export { queryFiles } from '../convert/query.ts';
