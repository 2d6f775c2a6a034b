export { createViewer, type Viewer, type ViewerOptions } from './viewer/viewer.js';
