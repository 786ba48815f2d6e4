import { FaceFinder } from '../../detect/finder.ts';
import { runCameraChild } from './child.ts';

runCameraChild((options, areas) => FaceFinder.open(options, areas));
