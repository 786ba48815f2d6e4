import { clusterTopics } from '../../../src/cluster/topics.ts';
import type { Manifest } from '../render.ts';
import { configOf } from './config.ts';
import { type Check, named, ofKind, type Report } from './index.ts';

/** One scaler a workload, which exists, leaves its number of replicas alone, and has what its metrics need. */
export const scaling: Check = (objects, report) => {
  const scaled = new Set<string>();
  for (const scaler of [...ofKind(objects, 'HorizontalPodAutoscaler'), ...ofKind(objects, 'ScaledObject')]) {
    const {
      scaleTargetRef,
      minReplicas,
      maxReplicas,
      minReplicaCount,
      maxReplicaCount,
      triggers = [],
    } = scaler.spec;
    const { name } = scaleTargetRef;
    const target = named(objects, scaleTargetRef.kind ?? 'Deployment', name);
    if (!target) {
      report(scaler, `scales ${name}, which is not made here`);
      continue;
    }
    if (scaled.has(name)) report(scaler, `${name} has another scaler`);
    scaled.add(name);
    if (target.spec.replicas !== undefined)
      report(target, 'has replicas and a scaler: each apply undoes its work');
    const most = maxReplicas ?? maxReplicaCount;
    if (!((minReplicas ?? minReplicaCount) >= 1 && most >= 1)) report(scaler, 'has no bounds');
    const config = configOf(objects, target);
    if (!config) continue;
    const { kafka, cluster } = config;
    if (most > partitions(objects, kafka.topics.partitions))
      report(scaler, 'goes beyond the partitions of the crops');
    for (const { type, metadata, authenticationRef } of triggers)
      if (type === 'kafka') {
        const topic = clusterTopics(kafka.topicPrefix).crops;
        if (metadata.consumerGroup !== `${cluster.group}-infer`)
          report(scaler, `reads the lag of group ${metadata.consumerGroup}, which no worker is in`);
        if (metadata.topic !== topic)
          report(scaler, `reads the lag of ${metadata.topic} instead of ${topic}`);
        brokers(scaler, metadata.bootstrapServers, kafka.brokers ?? [], report);
        const { tls, sasl } = kafka;
        if (Boolean(tls) !== (metadata.tls === 'enable'))
          report(scaler, `${tls ? 'does not speak' : 'speaks'} TLS`);
        if ((tls?.certificate || sasl) && !named(objects, 'TriggerAuthentication', authenticationRef?.name))
          report(scaler, 'has no TriggerAuthentication that is made here, and brokers ask who it is');
      }
  }
};

/** Brokers are the workers' own; KEDA, in another namespace, adds theirs. */
function brokers(scaler: Manifest, given: string, own: readonly string[], report: Report): void {
  const short = given.replace(`.${scaler.metadata.namespace}:`, ':');
  if (!own.includes(short)) report(scaler, `asks brokers ${given}, the workers ask ${own.join(', ')}`);
}

function partitions(objects: readonly Manifest[], inConfig: number): number {
  return named(objects, 'KafkaTopic', 'au.crops')?.spec.partitions ?? inConfig;
}
